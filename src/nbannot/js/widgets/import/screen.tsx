/** The import screen: its sections appear as they make sense, in the order of the work. */
import { useRef } from "preact/hooks";
import { counted } from "../../shared/text.ts";
import { Button } from "../../shared/ui/button.tsx";
import { ErrorNotice, type Problem } from "../../shared/ui/notice.tsx";
import { ProgressBar } from "../../shared/ui/progress.tsx";
import { Status } from "../../shared/ui/status.tsx";
import { ActionBar } from "./action-bar.tsx";
import { Format } from "./format.tsx";
import { ColumnRoles, Options } from "./options.tsx";
import { Done } from "./outcome.tsx";
import { Preview } from "./preview.tsx";
import { Problems } from "./problems.tsx";
import { Section } from "./section.tsx";
import { Source } from "./source.tsx";
import { Code, Target } from "./target.tsx";
import type { ImportActions, ImportState } from "./types.ts";

export function ImportScreen({
	state,
	actions,
	failed,
}: {
	state: ImportState;
	actions: ImportActions;
	/** A command that Python refused, or that never came back. */
	failed: Problem | null;
}) {
	const { project, preview, candidates } = state;
	const now = state.state;
	const importing = now === "importing";
	const chosen = state.source !== "" || now !== "empty";
	const error = problemOf(state.error);
	const hasPreview = (preview.items ?? 0) > 0 || preview.complete === true;
	const done = now === "done";
	const screen = useRef<HTMLDivElement>(null);
	/** The import that runs, or has just ended, was started by the button of this view. */
	const startedHere = useRef(false);
	const focused = document.activeElement;
	const attended =
		focused === null || focused === document.body || screen.current?.contains(focused) === true;
	const start = () => {
		startedHere.current = true;
		actions.start();
	};
	return (
		<div ref={screen} class="nbannot nbannot-import" data-state={now}>
			<header class="nbannot-head">
				<h2>
					Import into <b>{project.name || "the project"}</b>
				</h2>
				{project.path && (
					<span class="nbannot-muted nbannot-head-path" title={project.path}>
						{project.path}
					</span>
				)}
			</header>
			<Status text={inWords(state)} />
			{failed && <ErrorNotice problem={failed} />}
			<Source state={state} actions={actions} problem={now === "empty" ? error : null} />

			{now === "detecting" && (
				<Section title="Format">
					<ProgressBar name="Looking for the format" progress={state.progress} />
					<div class="nbannot-side-skeleton" aria-hidden="true">
						<span class="nbannot-skeleton" style={{ width: "40%" }} />
						<span class="nbannot-skeleton" style={{ width: "65%" }} />
					</div>
					<div class="nbannot-actions">
						<Button onClick={actions.cancel}>Cancel</Button>
					</div>
				</Section>
			)}

			{chosen && !done && now !== "detecting" && candidates.length > 0 && (
				<Format
					candidates={candidates}
					format={state.format}
					root={state.root}
					unrecognised={now === "unrecognised" ? (error ?? NO_REASON) : null}
					disabled={importing}
					options={state.options}
					onChoose={(format, root) => actions.choose({ format, root })}
					onFix={(fix) => actions.choose({ options: { ...state.options, ...fix.options } })}
				>
					<ColumnRoles
						roles={state.roles}
						columns={state.columns}
						disabled={importing}
						onColumns={(columns) => actions.choose({ columns })}
					/>
					<Options
						fields={state.fields}
						options={state.options}
						columns={(state.roles.available ?? []).map(({ name }) => name)}
						disabled={importing}
						onOptions={(options) => actions.choose({ options })}
					/>
				</Format>
			)}

			{chosen && now === "error" && error && (
				<div class="nbannot-section-alone">
					<ErrorNotice
						problem={error}
						actions={
							state.source && (
								<Button icon="refresh" onClick={() => actions.open(state.source)}>
									Try again
								</Button>
							)
						}
					/>
				</div>
			)}

			{now === "reading" && !hasPreview && (
				<Section title="Preview">
					<ProgressBar name="Reading" progress={state.progress} />
					<div class="nbannot-actions">
						<Button onClick={actions.cancel}>Stop reading</Button>
					</div>
				</Section>
			)}

			{chosen && hasPreview && !done && now !== "detecting" && (
				<>
					<Preview state={state} actions={actions} />
					<Target state={state} disabled={importing} onChoose={actions.choose} />
					<ActionBar state={state} actions={{ ...actions, start }} />
				</>
			)}

			{done && (
				<>
					<Done report={state.report} arrived={startedHere.current && attended} actions={actions} />
					{state.problems.length > 0 && (
						<Section title="Problems">
							<Problems
								problems={state.problems}
								complete
								load={(group) => (at, n) => actions.lines(group, at, n)}
							/>
						</Section>
					)}
					<div class="nbannot-action-bar">
						<Code code={state.code} />
					</div>
				</>
			)}
		</div>
	);
}

const NO_REASON: Problem = { type: "", message: "", where: "", hint: "" };

function problemOf(error: ImportState["error"]): Problem | null {
	const { type = "", message = "", where = "", hint = "" } = error;
	return message ? { type, message, where, hint } : null;
}

/** The state in a sentence, for those who hear the screen. */
function inWords({ state, preview, report, error }: ImportState): string {
	switch (state) {
		case "empty":
			return "";
		case "detecting":
			return "Looking for the format";
		case "unrecognised":
			return "No format fits this source";
		case "reading":
			return preview.complete ? "" : "Reading";
		case "ready":
			return `Ready to import: ${counted(preview.items ?? 0, "item")}, ${counted(preview.annotations ?? 0, "annotation")}`;
		case "importing":
			return "Importing";
		case "done":
			return report.undone ? "Undone" : (report.text ?? "Imported");
		case "error":
			return error.message ? "" : "Something went wrong"; // the notice is an alert by itself
	}
}
