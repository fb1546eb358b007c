import { describe, expect, it } from "vitest";
import { decodeCounts, paintMask } from "../../src/nbannot/js/shared/rle.ts";

const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Rows of 0 and 1 of a mask painted at its own size, or at another. */
function painted(counts: string, height: number, width: number, rows = height, columns = width) {
	const raster = { width: columns, height: rows, pixels: new Uint32Array(rows * columns) };
	paintMask(decodeCounts(bytes(counts)), height, width, raster, 1);
	return Array.from({ length: rows }, (_, y) => [
		...raster.pixels.subarray(y * columns, (y + 1) * columns),
	]);
}

/** A disk of radius 100 about (200, 150) in 300 x 400, encoded by pycocotools 2. */
const DISK =
	"Tgm0m0Z8:F:H6I8I6K4K6K4L4L4L4L4L4M2M4M2M4M2N2M4M2N2N2M4M2N2N2N2N2N2N2N2N2O0O2N2N2N2O0O2N2N2O0O2N2O0O2N2O0O2O0O2O0O2O0O2O0O2O0O2O000O2O0O2O000O2O00000O2O000O2O0000000O2O0000000O2O00000000000000000000000000000000000000000000000000000001N100000001N100000001N10001N1000001N10001N101N10001N101N101N101N101N101N101N2N101N2N101N2N2N101N2N2N2N101N2N2N2N2N2N2N2N2N3L3N2N2N3L3N2N3L3N3L3N3L4L4L4L4L4L5J5L5J7H7J8F:F]Um0";

// All made with pycocotools.mask.encode.
describe("masks in COCO's compressed run lengths", () => {
	it.each([
		[
			"13",
			[
				[0, 1],
				[1, 1],
			],
		],
		[
			"0111",
			[
				[1, 1],
				[0, 1],
			],
		],
		[
			"<",
			[
				[0, 0, 0, 0],
				[0, 0, 0, 0],
				[0, 0, 0, 0],
			],
		],
		[
			"0<",
			[
				[1, 1, 1, 1],
				[1, 1, 1, 1],
				[1, 1, 1, 1],
			],
		],
		[
			"031N0001020O0N31M11O",
			[
				[1, 0, 0, 0, 1, 1, 1],
				[1, 1, 1, 1, 0, 1, 0],
				[1, 0, 1, 1, 0, 0, 0],
				[0, 1, 1, 1, 0, 1, 1],
				[1, 1, 1, 0, 0, 1, 1],
			],
		],
	])("paints %s", (counts, rows) => {
		expect(painted(counts, rows.length, rows[0]?.length ?? 0)).toEqual(rows);
	});

	it("reads counts of several characters", () => {
		expect(decodeCounts(bytes("l^`n0T3"))).toEqual([999_900, 100]);
	});

	it("samples a large mask at the size it is shown at, by the centres of the pixels", () => {
		expect(painted(DISK, 300, 400).flat().filter(Boolean)).toHaveLength(31_397);
		expect(painted(DISK, 300, 400, 3, 4)).toEqual([
			[0, 0, 0, 0],
			[0, 1, 1, 0],
			[0, 0, 0, 0],
		]);
		expect(painted(DISK, 300, 400, 30, 40).flat().filter(Boolean)).toHaveLength(316);
	});

	it("stays inside the picture whatever the counts say", () => {
		expect(painted("0l^`n0T3", 2, 2)).toEqual([
			[1, 1],
			[1, 1],
		]);
		expect(painted("", 2, 2)).toEqual([
			[0, 0],
			[0, 0],
		]);
	});
});
