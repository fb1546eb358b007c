import { count } from "../../shared/text.ts";
import { Button } from "../../shared/ui/button.tsx";
import { Icon } from "../../shared/ui/icon.tsx";
import { Notice } from "../../shared/ui/notice.tsx";
import type { Frame } from "./types.ts";

/** The tables among the notebook's variables. */
export function Frames({
	frames,
	onChoose,
	onRefresh,
}: {
	frames: Frame[];
	onChoose: (name: string) => void;
	onRefresh: () => void;
}) {
	const again = (
		<Button icon="refresh" onClick={onRefresh}>
			Look again
		</Button>
	);
	if (frames.length === 0) {
		return (
			<div class="nbannot-picker-body">
				<Notice kind="empty" title="No variable of this notebook is a table" actions={again}>
					<p>
						Run a cell that makes a pandas, polars or pyarrow table, or a list of dicts, then look
						again.
					</p>
				</Notice>
			</div>
		);
	}
	return (
		<div class="nbannot-picker-body">
			<ul class="nbannot-entries nbannot-frames" aria-label="Tables of this notebook">
				{frames.map((frame) => (
					<li key={frame.name} class="nbannot-entry">
						<button type="button" class="nbannot-entry-main" onClick={() => onChoose(frame.name)}>
							<Icon name="table" />
							<code class="nbannot-entry-name">{frame.name}</code>
							<span class="nbannot-entry-note nbannot-muted">{kindOf(frame)}</span>
							<span class="nbannot-entry-size nbannot-muted nbannot-figures">
								{count(frame.rows)} rows × {count(frame.columns)} columns
							</span>
						</button>
					</li>
				))}
			</ul>
			<div class="nbannot-actions">{again}</div>
		</div>
	);
}

function kindOf({ kind }: Frame): string {
	return kind === "builtins.list" ? "list of dicts" : kind;
}
