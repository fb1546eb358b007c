/** The canvas of the enlarged item: fits, zooms, pans, and finds the annotation under the pointer. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { drawPicture, maskLayer } from "../canvas.ts";
import { drawAnnotations, sizeOf } from "../draw.ts";
import { annotationAt, type Frame, fit, zoomed } from "../geometry.ts";
import type { Page } from "../page.ts";
import { IconButton } from "../ui/button.tsx";
import { describe } from "./tile.tsx";

const MAX_ZOOM = 20;
const MASK_PX = 1600;
const MARGIN_PX = 8;

export function Stage({
	page,
	index,
	picture,
	active,
	label,
	onActive,
}: {
	page: Page;
	index: number;
	picture: ImageBitmap | null;
	active: number | null;
	label: string;
	onActive: (annotation: number | null) => void;
}) {
	const box = useRef<HTMLDivElement>(null);
	const canvas = useRef<HTMLCanvasElement>(null);
	const { width, height } = useSize(box);
	/** Zoom and shift by the user, relative to "fits whole"; null: fits whole. */
	const [moved, setMoved] = useState<Frame | null>(null);
	const drag = useRef<{ x: number; y: number; far: boolean } | null>(null);
	const item = page.items[index] as Page["items"][number];
	const size = sizeOf(page, index) ?? picture;
	useLayoutEffect(() => setMoved(null), [item.item]);

	const whole = useMemo(() => {
		if (!size || !width) return null;
		const inner = fit(size.width, size.height, width - 2 * MARGIN_PX, height - 2 * MARGIN_PX);
		return { ...inner, left: inner.left + MARGIN_PX, top: inner.top + MARGIN_PX };
	}, [size?.width, size?.height, width, height]);
	const frame = moved ?? whole;
	const masks = useMemo(
		() => maskLayer(page, index, MASK_PX, { active, label }),
		[page, index, active, label],
	);

	useLayoutEffect(() => {
		const ctx = canvas.current?.getContext("2d");
		if (!ctx || !canvas.current || !width) return;
		const ratio = window.devicePixelRatio || 1;
		canvas.current.width = Math.round(width * ratio);
		canvas.current.height = Math.round(height * ratio);
		ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
		if (!frame || !size) return;
		if (picture) drawPicture(ctx, picture, size, frame);
		drawAnnotations(ctx, page, index, { frame, lineWidth: 2, active, label, masks, names: true });
	}, [page, index, picture, frame, active, label, masks, width, height]);

	const zoom = (factor: number, x = width / 2, y = height / 2) => {
		if (!frame || !whole) return;
		const next = Math.min(Math.max((frame.scale * factor) / whole.scale, 1), MAX_ZOOM);
		setMoved(next === 1 ? null : zoomed(frame, (next * whole.scale) / frame.scale, x, y));
	};
	const onWheel = (event: WheelEvent) => {
		// A plain wheel scrolls the notebook; with Ctrl, and by pinching, it zooms.
		if (!event.ctrlKey && !event.metaKey) return;
		event.preventDefault();
		zoom(Math.exp(-event.deltaY / 200), event.offsetX, event.offsetY);
	};
	const onPointerMove = (event: PointerEvent) => {
		if (!frame) return;
		if (drag.current) {
			const [dx, dy] = [event.clientX - drag.current.x, event.clientY - drag.current.y];
			if (!drag.current.far && Math.hypot(dx, dy) < 3) return;
			drag.current = { x: event.clientX, y: event.clientY, far: true };
			setMoved({ ...frame, left: frame.left + dx, top: frame.top + dy });
			return;
		}
		const { scale, left, top } = frame;
		const [x, y] = [(event.offsetX - left) / scale, (event.offsetY - top) / scale];
		onActive(annotationAt(page, index, x, y, 3 / scale));
	};
	const onKeyDown = (event: KeyboardEvent) => {
		if (event.key === "+" || event.key === "=") zoom(1.5);
		else if (event.key === "-") zoom(1 / 1.5);
		else if (event.key === "0") setMoved(null);
	};
	const end = () => {
		drag.current = null;
	};
	return (
		<div class="nbannot-stage" ref={box} role="group" aria-label="Picture" onKeyDown={onKeyDown}>
			<canvas
				ref={canvas}
				role="img"
				aria-label={describe(page, index)}
				data-movable={moved ? "" : undefined}
				onWheel={onWheel}
				onDblClick={(event) => zoom(2, event.offsetX, event.offsetY)}
				onPointerDown={(event) => {
					if (event.button !== 0 || !moved) return;
					event.currentTarget.setPointerCapture(event.pointerId);
					drag.current = { x: event.clientX, y: event.clientY, far: false };
				}}
				onPointerMove={onPointerMove}
				onPointerUp={end}
				onPointerCancel={end}
				onPointerLeave={() => !drag.current && onActive(null)}
			/>
			{!picture && (
				<p class="nbannot-stage-blank">
					{item.text || item.note || `There is no picture of this ${item.kind}.`}
				</p>
			)}
			<div class="nbannot-stage-tools" role="group" aria-label="Zoom">
				<IconButton icon="plus" name="Zoom in (+)" onClick={() => zoom(1.5)} />
				<IconButton
					icon="minus"
					name="Zoom out (−)"
					disabled={!moved}
					onClick={() => zoom(1 / 1.5)}
				/>
				<IconButton icon="fit" name="Fit (0)" disabled={!moved} onClick={() => setMoved(null)} />
			</div>
		</div>
	);
}

/** Size of an element in CSS pixels, as it is now. */
function useSize(element: { current: HTMLElement | null }): { width: number; height: number } {
	const [size, setSize] = useState({ width: 0, height: 0 });
	useLayoutEffect(() => {
		const box = element.current;
		if (!box || typeof ResizeObserver === "undefined") return;
		const measure = () => setSize({ width: box.clientWidth, height: box.clientHeight });
		measure();
		const observer = new ResizeObserver(measure);
		observer.observe(box);
		return () => observer.disconnect();
	}, []);
	return size;
}
