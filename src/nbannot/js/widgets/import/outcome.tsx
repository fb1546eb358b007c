/** The end of an import: what it did, and the ways on from there. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { duration } from "../../shared/text.ts";
import { Button } from "../../shared/ui/button.tsx";
import { Icon } from "../../shared/ui/icon.tsx";
import { RecordCounts } from "../../shared/ui/record-counts.tsx";
import { Section } from "./section.tsx";
import type { ImportActions, Maybe, Report } from "./types.ts";

export function Done({
	report,
	arrived,
	actions,
}: {
	report: Maybe<Report>;
	/** The import was started here, and nobody has turned to something else since. */
	arrived: boolean;
	actions: ImportActions;
}) {
	const { undone = false, text = "", tasks = [], request, seconds } = report;
	const title = useRef<HTMLHeadingElement>(null);
	useLayoutEffect(() => {
		if (!arrived) return;
		title.current?.focus({ preventScroll: true });
		// The screen is much shorter now: what was under the pointer is below its end.
		title.current?.closest("section")?.scrollIntoView({ block: "nearest" });
	}, []);
	const head = undone
		? "Undone: the project is as it was before"
		: request
			? "Imported"
			: "Nothing to do";
	return (
		<Section title="Result">
			<div class={`nbannot-done ${undone ? "nbannot-undone" : ""}`}>
				<h4 class="nbannot-done-title" ref={title} tabIndex={-1}>
					<Icon name={undone ? "undo" : "check"} size={20} /> {head}
				</h4>
				<p>{text}</p>
				<RecordCounts report={report} />
				<p class="nbannot-muted">
					{tasks.length > 0 &&
						`Tasks: ${tasks.slice(0, 20).join(", ")}${tasks.length > 20 ? "…" : ""}. `}
					{seconds !== undefined && seconds > 0 && `Took ${duration(seconds)}.`}
				</p>
				<div class="nbannot-actions">
					<Button kind="primary" onClick={actions.reset}>
						Import another
					</Button>
					{request != null &&
						(undone ? (
							<Button icon="redo" onClick={actions.redo}>
								Redo
							</Button>
						) : (
							<Button icon="undo" onClick={actions.undo}>
								Undo
							</Button>
						))}
				</div>
			</div>
		</Section>
	);
}
