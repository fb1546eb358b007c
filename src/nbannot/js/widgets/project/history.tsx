/** The requests of a project, newest first: what each did, and the way back. */
import { useState } from "preact/hooks";
import { count } from "../../shared/text.ts";
import { Badge } from "../../shared/ui/badge.tsx";
import { Button } from "../../shared/ui/button.tsx";
import { Disclosure } from "../../shared/ui/disclosure.tsx";
import { Lines } from "../../shared/ui/lines.tsx";
import { asProblem, ErrorNotice, type Problem } from "../../shared/ui/notice.tsx";
import { RecordCounts } from "../../shared/ui/record-counts.tsx";
import { Status } from "../../shared/ui/status.tsx";
import type { HistoryEntry, ProjectActions } from "./types.ts";

export function History({
	requests,
	canUndo,
	canRedo,
	actions,
}: {
	requests: HistoryEntry[];
	canUndo: boolean;
	canRedo: boolean;
	actions: ProjectActions;
}) {
	const [busy, setBusy] = useState(false);
	const [problem, setProblem] = useState<Problem | null>(null);
	const [said, say] = useState("");
	const turn = async (work: () => Promise<void>, words: string) => {
		setBusy(true);
		setProblem(null);
		try {
			await work();
			say(words);
		} catch (error) {
			setProblem(asProblem(error));
		}
		setBusy(false);
	};
	return (
		<Disclosure
			title={
				<>
					History <span class="nbannot-count">{count(requests.length)}</span>
				</>
			}
		>
			{() => (
				<div class="nbannot-history">
					<Status text={said} />
					<div class="nbannot-actions">
						<Button
							icon="undo"
							disabled={!canUndo || busy}
							onClick={() => turn(actions.undo, "Undone")}
						>
							Undo
						</Button>
						<Button
							icon="redo"
							disabled={!canRedo || busy}
							onClick={() => turn(actions.redo, "Redone")}
						>
							Redo
						</Button>
					</div>
					{problem && <ErrorNotice problem={problem} />}
					{requests.length === 0 && <p class="nbannot-muted">Nothing was imported yet.</p>}
					<ol class="nbannot-requests">
						{requests.map((request) => (
							<li key={request.id} class={request.undone ? "nbannot-undone" : undefined}>
								<Request request={request} actions={actions} />
							</li>
						))}
					</ol>
				</div>
			)}
		</Disclosure>
	);
}

function Request({ request, actions }: { request: HistoryEntry; actions: ProjectActions }) {
	const { id, title, when, added, undone, warned, rejected } = request;
	const amount = typeof added === "number" ? `${count(added)} added` : added;
	return (
		<Disclosure
			title={
				<span class="nbannot-request">
					<span class="nbannot-request-title">{title}</span>
					{undone && <Badge>undone</Badge>}
					{rejected > 0 && <Badge tone="bad">{count(rejected)} not imported</Badge>}
					{warned > 0 && <Badge tone="warning">{count(warned)} with a warning</Badge>}
					<span class="nbannot-muted nbannot-figures">{amount}</span>
					<time class="nbannot-muted nbannot-figures" dateTime={when}>
						{whenInWords(when)}
					</time>
				</span>
			}
		>
			{() => (
				<>
					<RecordCounts report={request} />
					<Outcome
						of={id}
						outcome="rejected"
						total={rejected}
						title="Not imported"
						actions={actions}
					/>
					<Outcome
						of={id}
						outcome="warning"
						total={warned}
						title="With a warning"
						actions={actions}
					/>
				</>
			)}
		</Disclosure>
	);
}

function Outcome({
	of,
	outcome,
	total,
	title,
	actions,
}: {
	of: number;
	outcome: string;
	total: number;
	title: string;
	actions: ProjectActions;
}) {
	if (total === 0) return null;
	return (
		<Disclosure title={title}>
			{() => (
				<Lines
					first={[]}
					total={total}
					load={(at, n) => actions.lines(of, outcome, at, n)}
					atOnce
				/>
			)}
		</Disclosure>
	);
}

/** The reader's own date and time; what can't be read as one is shown as it came. */
function whenInWords(when: string): string {
	const date = new Date(when);
	if (Number.isNaN(date.getTime())) return when;
	return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
