/** Annotations of one item on a canvas, over its picture. Knows geometry, not the DOM. */
import { inkOn, pixel, safeColor, withAlpha } from "./color.ts";
import { boundsOf, type Frame, rotated } from "./geometry.ts";
import { labelOf, type Page, typeOf } from "./page.ts";
import { decodeCounts, paintMask, type Raster } from "./rle.ts";

/** The part of a 2d context that drawing uses. */
export type Context = CanvasRenderingContext2D;

export interface DrawOptions {
	/** Where the item lies on the canvas: canvas = item * scale + offset. */
	frame: Frame;
	/** Stroke width in canvas pixels. */
	lineWidth: number;
	/** Annotation drawn strongly, all others faintly; null: all alike. */
	active?: number | null;
	/** Name of the label drawn strongly, all others faintly; "": all alike. */
	label?: string;
	/** Write the name of the label beside each shape. */
	names?: boolean;
	/** What `maskLayer` made of the masks, drawn over the item's whole extent. */
	masks?: CanvasImageSource | null;
}

/** Radius of a point, in stroke widths. */
const DOT = 1.5;

interface Pen {
	ctx: Context;
	page: Page;
	frame: Frame;
	lineWidth: number;
}

type Shape = (pen: Pen, annotation: number) => void;

const SHAPES: Partial<Record<string, Shape>> = {
	box: drawBox,
	ellipse: drawEllipse,
	polygon: drawPolygon,
	polyline: drawPolyline,
	points: drawPoints,
	skeleton: drawSkeleton,
	cuboid: drawCuboid,
};

/** Draw all annotations of item `i`. */
export function drawAnnotations(ctx: Context, page: Page, i: number, options: DrawOptions): void {
	const { frame, lineWidth, active = null, label = "", names = false, masks } = options;
	const pen: Pen = { ctx, page, frame, lineWidth };
	const size = sizeOf(page, i);
	if (masks && size) {
		ctx.drawImage(
			masks,
			frame.left,
			frame.top,
			size.width * frame.scale,
			size.height * frame.scale,
		);
	}
	const own = page.annotationsOf(i);
	const faint = (a: number) =>
		active !== null ? a !== active : label !== "" && labelOf(page, a)?.name !== label;
	// What stands out is drawn last, so that nothing covers it.
	const order = [...own].sort((a, b) => Number(faint(b)) - Number(faint(a)));
	for (const a of order) {
		const shape = SHAPES[typeOf(page, a) ?? ""];
		if (!shape) continue;
		const color = safeColor(labelOf(page, a)?.color);
		ctx.globalAlpha = faint(a) ? 0.3 : 1;
		ctx.strokeStyle = color;
		ctx.fillStyle = withAlpha(color, a === active ? 0.4 : 0.2);
		ctx.lineWidth = a === active ? lineWidth * 1.75 : lineWidth;
		// Predictions are dashed: they are not the ground truth.
		ctx.setLineDash((page.layer[a] ?? 0) > 0 ? [lineWidth * 3, lineWidth * 2] : []);
		shape(pen, a);
	}
	ctx.setLineDash([]);
	if (names) for (const a of order) if (!faint(a)) drawName(pen, a);
	ctx.globalAlpha = 1;
}

/** Width and height of an item, of its masks where the item has none; null: unknown. */
export function sizeOf(page: Page, i: number): { width: number; height: number } | null {
	const { width, height } = page.items[i] ?? {};
	if (width && height) return { width, height };
	for (const a of page.annotationsOf(i)) {
		const [w, h] = [page.maskWidth[a] ?? 0, page.maskHeight[a] ?? 0];
		if (w > 0 && h > 0) return { width: w, height: h };
	}
	return null;
}

/** Paint the masks of item `i` at the size they are shown at; null where there are none. */
export function maskRaster(
	page: Page,
	i: number,
	longest: number,
	stands: (annotation: number) => boolean = () => true,
): Raster | null {
	const size = sizeOf(page, i);
	const own = page.annotationsOf(i).filter((a) => typeOf(page, a) === "mask");
	if (!size || own.length === 0) return null;
	const scale = Math.min(longest / Math.max(size.width, size.height), 1);
	const width = Math.max(Math.round(size.width * scale), 1);
	const height = Math.max(Math.round(size.height * scale), 1);
	const raster: Raster = { width, height, pixels: new Uint32Array(width * height) };
	for (const strong of [false, true]) {
		for (const a of own) {
			if (stands(a) !== strong) continue;
			const bytes = page.mask.subarray(page.maskStart[a], page.maskStart[a + 1]);
			const color = pixel(labelOf(page, a)?.color ?? "", strong ? 0.55 : 0.16);
			const [h, w] = [page.maskHeight[a] as number, page.maskWidth[a] as number];
			paintMask(decodeCounts(bytes), h, w, raster, color);
		}
	}
	return raster;
}

function drawBox({ ctx, page, frame }: Pen, a: number): void {
	const corners = rotated(page, a).map(([x, y]) => [
		x * frame.scale + frame.left,
		y * frame.scale + frame.top,
	]);
	ctx.beginPath();
	corners.forEach(([x, y], i) => {
		if (i) ctx.lineTo(x as number, y as number);
		else ctx.moveTo(x as number, y as number);
	});
	ctx.closePath();
	ctx.fill();
	ctx.stroke();
}

function drawEllipse({ ctx, page, frame }: Pen, a: number): void {
	const { scale, left, top } = frame;
	const [x, y, w, h] = [page.x[a], page.y[a], page.w[a], page.h[a]] as [
		number,
		number,
		number,
		number,
	];
	const turn = ((page.rotation[a] || 0) * Math.PI) / 180;
	const [rx, ry] = [Math.abs(w / 2) * scale, Math.abs(h / 2) * scale];
	if (!(rx >= 0 && ry >= 0)) return; // NaN: an ellipse without a size can't be drawn
	ctx.beginPath();
	ctx.ellipse((x + w / 2) * scale + left, (y + h / 2) * scale + top, rx, ry, turn, 0, 2 * Math.PI);
	ctx.fill();
	ctx.stroke();
}

function drawPolygon(pen: Pen, a: number): void {
	const { ctx, page } = pen;
	const end = (page.pointsStart[a + 1] ?? 0) / 2;
	let at = (page.pointsStart[a] ?? 0) / 2;
	const rings = [...page.rings.subarray(page.ringsStart[a], page.ringsStart[a + 1])];
	if (rings.length === 0) rings.push(end - at);
	// A part is an outer ring and the holes that follow it. Each part is filled on its own:
	// where two parts overlap, an even-odd fill of both would leave a hole that is not there.
	for (let r = 0; r < rings.length; ) {
		ctx.beginPath();
		do {
			const stop = Math.min(at + Math.abs(rings[r] as number), end);
			trace(pen, at, stop);
			ctx.closePath();
			at = stop;
			r++;
		} while (r < rings.length && (rings[r] as number) < 0);
		ctx.fill("evenodd");
		ctx.stroke();
	}
}

function drawPolyline(pen: Pen, a: number): void {
	pen.ctx.beginPath();
	trace(pen, ...span(pen.page, a));
	pen.ctx.stroke();
}

function drawPoints(pen: Pen, a: number): void {
	const [from, to] = span(pen.page, a);
	for (let p = from; p < to; p++) dot(pen, p, pen.lineWidth * DOT);
}

function drawSkeleton(pen: Pen, a: number): void {
	const { ctx, page } = pen;
	const [from, to] = span(page, a);
	const absent = (p: number) => page.visibility.length > 0 && page.visibility[p] === 0;
	const box = [page.x[a], page.y[a], page.w[a], page.h[a]];
	if (box.every((value) => Number.isFinite(value))) {
		ctx.save();
		ctx.globalAlpha *= 0.4;
		ctx.fillStyle = "transparent";
		drawBox(pen, a);
		ctx.restore();
	}
	ctx.beginPath();
	for (const [i, j] of labelOf(page, a)?.edges ?? []) {
		const [p, q] = [from + i, from + j];
		if (i < 0 || j < 0 || p >= to || q >= to || absent(p) || absent(q)) continue;
		ctx.moveTo(...place(pen, p));
		ctx.lineTo(...place(pen, q));
	}
	ctx.stroke();
	for (let p = from; p < to; p++) {
		if (!absent(p)) dot(pen, p, pen.lineWidth * DOT, page.visibility[p] === 1);
	}
}

function drawCuboid(pen: Pen, a: number): void {
	const { ctx } = pen;
	const [from, to] = span(pen.page, a);
	if (to - from < 8) {
		drawPolyline(pen, a);
		return;
	}
	for (const face of [4, 0]) {
		ctx.beginPath();
		trace(pen, from + face, from + face + 4);
		ctx.closePath();
		if (face === 0) ctx.fill();
		ctx.stroke();
	}
	ctx.beginPath();
	for (let corner = 0; corner < 4; corner++) {
		ctx.moveTo(...place(pen, from + corner));
		ctx.lineTo(...place(pen, from + corner + 4));
	}
	ctx.stroke();
}

/** A small flag with the label's name: above the shape, below it (and with its score) if predicted. */
function drawName({ ctx, page, frame }: Pen, a: number): void {
	const label = labelOf(page, a);
	const bounds = boundsOf(page, a);
	if (!label || !bounds) return;
	const predicted = (page.layer[a] ?? 0) > 0;
	const score = page.score[a] as number;
	const short = label.name.length > 40 ? `${label.name.slice(0, 39)}…` : label.name;
	const name = Number.isFinite(score) ? `${short} ${score.toFixed(2)}` : short;
	const x = Math.max(bounds.left * frame.scale + frame.left, 0);
	const edge = predicted ? bounds.bottom * frame.scale + 16 : bounds.top * frame.scale;
	const y = Math.max(edge + frame.top, 16);
	ctx.globalAlpha = 0.9;
	ctx.font = "600 11px system-ui, sans-serif";
	ctx.textBaseline = "middle";
	ctx.fillStyle = safeColor(label.color);
	ctx.fillRect(x - 1, y - 16, ctx.measureText(name).width + 8, 16);
	ctx.globalAlpha = 1;
	ctx.fillStyle = inkOn(label.color);
	ctx.fillText(name, x + 3, y - 7.5);
}

/** First and last point (exclusive) of an annotation, counted in points. */
function span(page: Page, a: number): [number, number] {
	return [(page.pointsStart[a] ?? 0) / 2, (page.pointsStart[a + 1] ?? 0) / 2];
}

function place({ page, frame }: Pen, point: number): [number, number] {
	return [
		(page.points[2 * point] as number) * frame.scale + frame.left,
		(page.points[2 * point + 1] as number) * frame.scale + frame.top,
	];
}

function trace(pen: Pen, from: number, to: number): void {
	for (let p = from; p < to; p++) {
		if (p === from) pen.ctx.moveTo(...place(pen, p));
		else pen.ctx.lineTo(...place(pen, p));
	}
}

function dot(pen: Pen, point: number, radius: number, hollow = false): void {
	const { ctx } = pen;
	const [x, y] = place(pen, point);
	ctx.beginPath();
	ctx.arc(x, y, radius, 0, 2 * Math.PI);
	if (!hollow) {
		ctx.save();
		ctx.fillStyle = ctx.strokeStyle;
		ctx.fill();
		ctx.restore();
	} else {
		ctx.save();
		ctx.setLineDash([]);
		ctx.stroke();
		ctx.restore();
	}
}
