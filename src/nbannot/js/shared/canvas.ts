/** From a page to pixels: the picture, the masks and the shapes of one item on one canvas. */
import { type DrawOptions, drawAnnotations, maskRaster, sizeOf } from "./draw.ts";
import { type Frame, fit } from "./geometry.ts";
import { labelOf, type Page } from "./page.ts";

/** Make a canvas that holds the masks of item `i`; null where there are none. */
export function maskLayer(
	page: Page,
	i: number,
	longest: number,
	{ active = null, label = "" }: Pick<DrawOptions, "active" | "label"> = {},
): HTMLCanvasElement | null {
	const stands = (a: number) =>
		active !== null ? a === active : label === "" || labelOf(page, a)?.name === label;
	const raster = maskRaster(page, i, longest, stands);
	if (!raster) return null;
	const canvas = document.createElement("canvas");
	canvas.width = raster.width;
	canvas.height = raster.height;
	const ctx = canvas.getContext("2d");
	if (!ctx) return null;
	const pixels = new Uint8ClampedArray(raster.pixels.buffer as ArrayBuffer);
	ctx.putImageData(new ImageData(pixels, raster.width, raster.height), 0, 0);
	return canvas;
}

/** Draw item `i`, whole and centred, on a canvas of `width` x `height`. */
export function drawTile(
	canvas: HTMLCanvasElement,
	page: Page,
	i: number,
	picture: ImageBitmap | null,
	label: string,
): void {
	const { width, height } = canvas;
	const ctx = canvas.getContext("2d");
	if (!ctx) return;
	ctx.clearRect(0, 0, width, height);
	const size = sizeOf(page, i) ?? picture;
	if (!size) return;
	const frame = fit(size.width, size.height, width, height);
	if (picture) drawPicture(ctx, picture, size, frame);
	const masks = maskLayer(page, i, Math.max(width, height), { label });
	drawAnnotations(ctx, page, i, { frame, lineWidth: Math.max(width / 110, 1.25), label, masks });
}

export function drawPicture(
	ctx: CanvasRenderingContext2D,
	picture: ImageBitmap,
	size: { width: number; height: number },
	frame: Frame,
): void {
	ctx.imageSmoothingQuality = "high";
	ctx.drawImage(
		picture,
		frame.left,
		frame.top,
		size.width * frame.scale,
		size.height * frame.scale,
	);
}
