/** Where annotations are: frames of reference, corners, bounds, what lies under a point. */
import { type Page, typeOf } from "./page.ts";

/** How an item lies on a canvas: canvas = item * scale + (left, top). */
export interface Frame {
	scale: number;
	left: number;
	top: number;
}

export interface Bounds {
	left: number;
	top: number;
	right: number;
	bottom: number;
}

/** The frame in which `width` x `height` lies whole and centred in a canvas. */
export function fit(
	width: number,
	height: number,
	canvasWidth: number,
	canvasHeight: number,
): Frame {
	const scale = Math.min(canvasWidth / width, canvasHeight / height);
	return {
		scale,
		left: (canvasWidth - width * scale) / 2,
		top: (canvasHeight - height * scale) / 2,
	};
}

/** Zoom by `factor` so that the canvas point (x, y) stays where it is. */
export function zoomed(frame: Frame, factor: number, x: number, y: number): Frame {
	return {
		scale: frame.scale * factor,
		left: x - (x - frame.left) * factor,
		top: y - (y - frame.top) * factor,
	};
}

/** Corners of a box, turned clockwise about its centre. */
export function rotated(page: Page, a: number): [number, number][] {
	const [x, y, w, h] = [page.x[a], page.y[a], page.w[a], page.h[a]] as [
		number,
		number,
		number,
		number,
	];
	const turn = ((page.rotation[a] || 0) * Math.PI) / 180;
	const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
	const [cx, cy] = [x + w / 2, y + h / 2];
	return [
		[-w / 2, -h / 2],
		[w / 2, -h / 2],
		[w / 2, h / 2],
		[-w / 2, h / 2],
	].map(([dx, dy]) => [
		cx + (dx as number) * cos - (dy as number) * sin,
		cy + (dx as number) * sin + (dy as number) * cos,
	]);
}

/** The upright box around an annotation, in pixels of the item; null where it has no place. */
export function boundsOf(page: Page, a: number): Bounds | null {
	const type = typeOf(page, a);
	const corners: [number, number][] = [];
	if (type === "box" || type === "ellipse" || type === "mask") corners.push(...rotated(page, a));
	else {
		for (let p = page.pointsStart[a] ?? 0; p + 1 < (page.pointsStart[a + 1] ?? 0); p += 2) {
			if (page.visibility.length && page.visibility[p / 2] === 0) continue;
			corners.push([page.points[p] as number, page.points[p + 1] as number]);
		}
	}
	if (corners.length === 0) return null;
	const bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
	for (const [x, y] of corners) {
		bounds.left = Math.min(bounds.left, x);
		bounds.right = Math.max(bounds.right, x);
		bounds.top = Math.min(bounds.top, y);
		bounds.bottom = Math.max(bounds.bottom, y);
	}
	return Number.isFinite(bounds.left + bounds.top + bounds.right + bounds.bottom) ? bounds : null;
}

/** The smallest annotation of item `i` whose bounds hold the point, null where none does. */
export function annotationAt(
	page: Page,
	i: number,
	x: number,
	y: number,
	slack = 0,
): number | null {
	let found: number | null = null;
	let smallest = Infinity;
	for (const a of page.annotationsOf(i)) {
		const b = boundsOf(page, a);
		if (!b || x < b.left - slack || x > b.right + slack) continue;
		if (y < b.top - slack || y > b.bottom + slack) continue;
		const area = (b.right - b.left) * (b.bottom - b.top);
		if (area < smallest) [found, smallest] = [a, area];
	}
	return found;
}
