/** Items page by page, one of them enlarged: the preview of an import and the gallery of a project. */
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { columnsOf, moved } from "../keys.ts";
import type { Page } from "../page.ts";
import { Button } from "../ui/button.tsx";
import { ErrorNotice, Notice } from "../ui/notice.tsx";
import { Enlarged } from "./enlarged.tsx";
import { PagerBar } from "./pager-bar.tsx";
import { SkeletonTiles, Tile } from "./tile.tsx";
import { usePages } from "./use-pages.ts";

export interface GalleryProps {
	/** What narrows the items, as text: a change of it is another list of items. */
	filter: string;
	/** Changes when the same items may look different. */
	revision: number;
	/** Items that match, as known before the first page comes. */
	total: number;
	start: number;
	pageSize: number;
	/** Label to bring out; "": all. */
	label: string;
	onStart: (start: number) => void;
	load: (start: number, count: number, sizePx: number, signal: AbortSignal) => Promise<Page>;
	loadItem: (item: string, sizePx: number, signal: AbortSignal) => Promise<Page>;
	/** Left of the pager. */
	heading: ComponentChildren;
	/** What to say where no item matches, and what to do about it. */
	empty: string;
	onClear?: (() => void) | undefined;
}

/** Sizes of pictures that are asked for; few, so that the browser and Python can keep them. */
const SIZES = [160, 240, 320, 480];
const TILE_MIN_PX = 144;
const GAP_PX = 8;

export function Gallery(props: GalleryProps) {
	const { filter, revision, start, pageSize, label, onStart, load, loadItem } = props;
	const grid = useRef<HTMLUListElement>(null);
	const size = useTileSize(grid);
	const key = JSON.stringify([filter, revision, size]);
	const { shown, busy, slow, problem, retry, fetchAhead } = usePages({
		key,
		start,
		count: pageSize,
		load: (at, signal) => load(at, pageSize, size, signal),
	});
	const total = shown?.key === key ? shown.page.total : props.total;
	const [active, setActive] = useState(0);
	const [open, setOpen] = useState<number | null>(null);
	/** Where focus goes when the next page is there: keyboard users stay in the grid. */
	const focusNext = useRef<"first" | "last" | null>(null);
	/** The item that was enlarged until now: it gets the focus back once the grid is there again. */
	const closed = useRef<number | null>(null);
	const asked = useRef({ start, at: performance.now() });
	if (asked.current.start !== start) asked.current = { start, at: performance.now() };

	// Another list of items, or another page: what was enlarged is not there any more.
	useEffect(() => {
		if (focusNext.current === null) setActive(0);
	}, [filter, start]);
	useEffect(() => setOpen(null), [filter]);

	// Fewer items than there were (an undo, another option): the last page there is, not an empty one.
	useEffect(() => {
		if (shown?.key !== key || shown.start !== start || start < shown.page.total) return;
		if (start > 0) onStart(Math.max(Math.ceil(shown.page.total / pageSize) - 1, 0) * pageSize);
	}, [shown]);

	const items = shown?.page.items.length ?? 0;
	const opened = open !== null && open < items ? open : null;
	useLayoutEffect(() => {
		if (!shown) return;
		if (focusNext.current !== null && shown.start === start) {
			const at = focusNext.current === "first" ? 0 : items - 1;
			focusNext.current = null;
			setActive(at);
			if (open !== null) setOpen(at);
			else focusTile(at);
		}
		return afterPaint(() => {
			// Read by benchmarks/ and waited for by tests/browser.
			performance.measure("nbannot-page", { start: asked.current.at, end: performance.now() });
			if (grid.current) grid.current.dataset.pageReady = String(shown.start);
			fetchAhead();
		});
	}, [shown]);

	const tiles = () => [
		...(grid.current?.querySelectorAll<HTMLElement>("button.nbannot-tile") ?? []),
	];
	const focusTile = (index: number) => tiles()[index]?.focus();
	const turn = (by: 1 | -1, focus: "first" | "last") => {
		const to = start + by * pageSize;
		if (to < 0 || to >= total) return false;
		focusNext.current = focus;
		onStart(to);
		return true;
	};
	const onKeyDown = (event: KeyboardEvent) => {
		const { key } = event;
		if (!grid.current || event.ctrlKey || event.metaKey || event.altKey) return;
		// Where focus is, not where it was when this was rendered: keys repeat fast.
		const at = tiles().indexOf(event.target as HTMLElement);
		const to = moved(key, at, items, columnsOf(grid.current));
		let handled = true;
		if (to !== null) {
			setActive(to);
			focusTile(to);
		} else if (key === "PageDown") turn(1, "first");
		else if (key === "PageUp") turn(-1, "first");
		else if (key === "ArrowRight") turn(1, "first");
		else if (key === "ArrowLeft") turn(-1, "last");
		else handled = key === "ArrowDown" || key === "ArrowUp";
		if (handled) event.preventDefault();
	};
	const step = (by: 1 | -1) => {
		const to = (open ?? 0) + by;
		if (to >= 0 && to < items) {
			setOpen(to);
			setActive(to);
		} else turn(by, by > 0 ? "first" : "last");
	};
	const close = () => {
		closed.current = open ?? active;
		setOpen(null);
	};
	useLayoutEffect(() => {
		if (opened !== null || closed.current === null) return;
		focusTile(closed.current);
		closed.current = null;
	}, [opened]);

	const slots = Math.min(pageSize, Math.max(total - start, 0));
	const fill = total > pageSize && shown ? pageSize - items : 0;
	const stale = busy && shown !== null && shown.start !== start;
	return (
		<div class="nbannot-gallery">
			<div class="nbannot-gallery-bar">
				<div class="nbannot-gallery-heading">{props.heading}</div>
				<PagerBar start={start} pageSize={pageSize} total={total} busy={busy} onStart={onStart} />
			</div>
			{problem && (
				<ErrorNotice problem={problem} actions={<Button onClick={retry}>Try again</Button>} />
			)}
			{slow && (
				<Notice kind="info" title="Waiting for Python">
					<p>The kernel may be busy with a cell. The page appears as soon as it answers.</p>
				</Notice>
			)}
			<div class="nbannot-stack">
				<ul
					ref={grid}
					class="nbannot-grid"
					aria-label="Items"
					aria-busy={busy}
					data-stale={stale ? "" : undefined}
					inert={opened !== null}
					onKeyDown={onKeyDown}
				>
					{shown
						? shown.page.items.map((_, i) => (
								<Tile
									// By place, not by item: the canvases of the last page are drawn on again.
									key={`tile-${i}`}
									page={shown.page}
									index={i}
									picture={shown.pictures[i] ?? null}
									pixels={size}
									label={label}
									reachable={i === Math.min(active, items - 1)}
									onFocus={() => setActive(i)}
									onOpen={() => {
										setActive(i);
										setOpen(i);
									}}
								/>
							))
						: !problem && <SkeletonTiles count={slots || (total ? pageSize : 0)} />}
					{fill > 0 && <Spacers count={fill} />}
				</ul>
				{shown && items === 0 && !busy && (
					<div class="nbannot-grid-empty">
						<Notice
							kind="empty"
							title={props.empty}
							actions={props.onClear && <Button onClick={props.onClear}>Show all items</Button>}
						/>
					</div>
				)}
				{opened !== null && shown && (
					<Enlarged
						page={shown.page}
						index={opened}
						picture={shown.pictures[opened] ?? null}
						position={shown.start + opened}
						total={total}
						label={label}
						load={loadItem}
						onStep={step}
						onClose={close}
					/>
				)}
			</div>
		</div>
	);
}

/** Empty places that keep the last page as high as the others, so that nothing below it moves. */
function Spacers({ count }: { count: number }) {
	return (
		<>
			{Array.from({ length: count }, (_, i) => (
				<li key={`spacer-${i}`} class="nbannot-tile nbannot-spacer" aria-hidden="true">
					<span class="nbannot-tile-picture" />
					<span class="nbannot-tile-caption"> </span>
				</li>
			))}
		</>
	);
}

/** Pictures as large as the tiles are on this screen; only ever larger, never asked for again smaller. */
function useTileSize(grid: { current: HTMLElement | null }): number {
	const [size, setSize] = useState(SIZES[0] as number);
	useLayoutEffect(() => {
		const element = grid.current;
		if (!element || typeof ResizeObserver === "undefined") return;
		const measure = () => {
			const width = element.clientWidth;
			if (width === 0) return; // not shown yet
			const columns = Math.max(Math.floor((width + GAP_PX) / (TILE_MIN_PX + GAP_PX)), 2);
			const tile = (width - (columns - 1) * GAP_PX) / columns;
			const wanted = tile * (window.devicePixelRatio || 1) * 0.9;
			const fits = SIZES.find((one) => one >= wanted) ?? (SIZES.at(-1) as number);
			setSize((old) => Math.max(old, fits));
		};
		measure();
		const observer = new ResizeObserver(measure);
		observer.observe(element);
		return () => observer.disconnect();
	}, []);
	return size;
}

/** Run `work` once what was just rendered is on the screen; returns how to call it off. */
function afterPaint(work: () => void): () => void {
	const channel = new MessageChannel();
	channel.port1.onmessage = () => {
		channel.port1.close();
		work();
	};
	const frame = requestAnimationFrame(() => channel.port2.postMessage(null));
	return () => {
		cancelAnimationFrame(frame);
		channel.port1.close();
	};
}
