/** Colours of labels. They come from files, so only "#rrggbb" is believed. */

const HEX = /^#[0-9a-f]{6}$/i;
const UNKNOWN = "#808080";

/** Return `color` where it is "#rrggbb", else a neutral grey. */
export function safeColor(color: string | null | undefined): string {
	return color && HEX.test(color) ? color : UNKNOWN;
}

export function rgb(color: string): [number, number, number] {
	const value = Number.parseInt(safeColor(color).slice(1), 16);
	return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Return "r, g, b" with an alpha, for a canvas. */
export function withAlpha(color: string, alpha: number): string {
	return `rgba(${rgb(color).join(", ")}, ${alpha})`;
}

/** Return the colour as one pixel of an ImageData seen as little-endian uint32. */
export function pixel(color: string, alpha: number): number {
	const [r, g, b] = rgb(color);
	return ((Math.round(alpha * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** Black or white, whichever is easier to read on `color`. */
export function inkOn(color: string): "#000" | "#fff" {
	const [r, g, b] = rgb(color).map((value) => {
		const c = value / 255;
		return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
	}) as [number, number, number];
	return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}
