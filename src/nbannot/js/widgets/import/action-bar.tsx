/** The last line: what Import will do, the button, and how far it is. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { count, counted } from "../../shared/text.ts";
import { Button } from "../../shared/ui/button.tsx";
import { ProgressBar } from "../../shared/ui/progress.tsx";
import { Code } from "./target.tsx";
import type { Changes, ImportActions, ImportState, Maybe } from "./types.ts";

export function ActionBar({ state, actions }: { state: ImportState; actions: ImportActions }) {
	const { changes, code, progress } = state;
	const bar = useRef<HTMLDivElement>(null);
	const importing = state.state === "importing";
	const wasImporting = useRef(importing);
	// The button that was pressed is gone: focus goes to the one in its place.
	useLayoutEffect(() => {
		const lost = document.activeElement === document.body || document.activeElement === null;
		if (importing !== wasImporting.current && lost) {
			bar.current?.querySelector<HTMLElement>(".nbannot-go")?.focus();
		}
		wasImporting.current = importing;
	}, [importing]);
	const ready = state.state === "ready" || state.state === "done";
	const reading = state.state === "reading";
	const { complete } = state.preview;
	return (
		<div class="nbannot-action-bar" ref={bar}>
			<Code code={code} />
			<div class="nbannot-action-line">
				{importing ? (
					<>
						<ProgressBar name="Importing" progress={progress} />
						<Button class="nbannot-go" onClick={actions.cancel}>
							Cancel
						</Button>
					</>
				) : (
					<>
						<p class="nbannot-changes">
							{reading && !complete ? (
								<span class="nbannot-muted">Import begins when everything is read.</span>
							) : (
								changes.text
							)}
						</p>
						{reading && !complete && <Button onClick={actions.cancel}>Stop reading</Button>}
						<Button
							kind="primary"
							class="nbannot-go"
							// Not `disabled`: a mapping that settles for a moment must not take the focus away.
							aria-disabled={!ready}
							onClick={() => ready && actions.start()}
						>
							{importName(changes)}
						</Button>
					</>
				)}
			</div>
		</div>
	);
}

/** "Import 5,000 items": what pressing the button brings. */
export function importName(changes: Maybe<Changes>): string {
	const { adds_items = 0, adds_annotations = 0, updates_items = 0 } = changes;
	if (adds_items > 0) return `Import ${counted(adds_items, "item")}`;
	if (adds_annotations > 0) return `Import ${counted(adds_annotations, "annotation")}`;
	return updates_items > 0 ? `Update ${count(updates_items)} items` : "Import";
}
