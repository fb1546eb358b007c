import { count } from "../text.ts";
import { IconButton } from "../ui/button.tsx";

/** Which items are shown, and the way to others. One height, whatever it says. */
export function PagerBar({
	start,
	pageSize,
	total,
	busy,
	onStart,
}: {
	start: number;
	pageSize: number;
	total: number;
	busy: boolean;
	onStart: (start: number) => void;
}) {
	const pages = Math.max(Math.ceil(total / pageSize), 1);
	const page = Math.floor(start / pageSize) + 1;
	const go = (to: number) => onStart((Math.min(Math.max(to, 1), pages) - 1) * pageSize);
	return (
		<nav class="nbannot-pager" aria-label="Pages">
			<span class="nbannot-muted nbannot-figures nbannot-pager-range">
				{total === 0
					? "0 items"
					: `${count(start + 1)}–${count(Math.min(start + pageSize, total))} of ${count(total)}`}
			</span>
			<IconButton
				icon="left"
				name="Previous page"
				disabled={page <= 1}
				onClick={() => go(page - 1)}
			/>
			<label class="nbannot-pager-page">
				<span class="nbannot-hidden">Page</span>
				<input
					type="number"
					class="nbannot-input nbannot-figures"
					min={1}
					max={pages}
					value={page}
					disabled={pages <= 1}
					aria-busy={busy}
					onChange={(event) => {
						const to = event.currentTarget.valueAsNumber;
						if (Number.isFinite(to)) go(Math.round(to));
						event.currentTarget.value = String(page);
					}}
					onKeyDown={(event) => {
						// JupyterLab keeps Enter from the field, and with it the change: leaving makes one.
						if (event.key === "Enter") event.currentTarget.blur();
					}}
				/>
				<span class="nbannot-muted nbannot-figures">of {count(pages)}</span>
			</label>
			<IconButton
				icon="right"
				name="Next page"
				disabled={page >= pages}
				onClick={() => go(page + 1)}
			/>
		</nav>
	);
}
