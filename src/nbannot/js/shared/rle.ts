/** COCO's compressed run lengths: decoded, and sampled straight to the size they are shown at. */

/**
 * Return run lengths, background first, down the columns (as `pycocotools` writes them).
 *
 * Each count is 5 bits per byte from 48 up, 0x20 says that more follow, 0x10 in the last one
 * is the sign; from the fourth count on it is the difference from the count two before.
 */
export function decodeCounts(bytes: Uint8Array): number[] {
	const counts: number[] = [];
	let at = 0;
	while (at < bytes.length) {
		let value = 0;
		let shift = 0;
		let byte: number;
		do {
			byte = (bytes[at++] ?? 48) - 48;
			value |= (byte & 0x1f) << shift;
			shift += 5;
		} while (byte & 0x20 && at < bytes.length && shift < 30);
		if (byte & 0x10 && shift < 32) value |= -1 << shift;
		if (counts.length > 2) value += counts[counts.length - 2] as number;
		counts.push(value);
	}
	return counts;
}

/** Pixels, RGBA in the machine's byte order, that several masks are painted into. */
export interface Raster {
	width: number;
	height: number;
	pixels: Uint32Array;
}

/**
 * Paint the mask of `height` x `width` into `raster`, nearest neighbour.
 *
 * Costs a step per run and per pixel of the raster, however large the mask is: a page of
 * 4000 x 3000 masks is drawn without ever holding one.
 */
export function paintMask(
	counts: number[],
	height: number,
	width: number,
	raster: Raster,
	color: number,
): void {
	if (height <= 0 || width <= 0) return;
	const { width: columns, height: rows, pixels } = raster;
	// First raster column (row) at or after each source column (row), by its centre.
	const target = (source: number, size: number, cells: number) =>
		Math.min(Math.max(Math.ceil((source * cells) / size - 0.5), 0), cells);
	let start = 0;
	let inside = false;
	for (const count of counts) {
		const end = Math.min(start + count, height * width);
		if (inside && end > start) {
			const lastColumn = Math.floor((end - 1) / height);
			for (let column = Math.floor(start / height); column <= lastColumn; column++) {
				const left = target(column, width, columns);
				const right = target(column + 1, width, columns);
				if (left === right) continue;
				const from = Math.max(start - column * height, 0);
				const to = Math.min(end - column * height, height);
				const top = target(from, height, rows);
				const bottom = target(to, height, rows);
				for (let x = left; x < right; x++) {
					for (let y = top; y < bottom; y++) pixels[y * columns + x] = color;
				}
			}
		}
		start = end;
		inside = !inside;
	}
}
