import { describe, expect, it } from "vitest";
import { inkOn, safeColor } from "../../src/nbannot/js/shared/color.ts";
import { baseName, bytes, counted, duration } from "../../src/nbannot/js/shared/text.ts";

describe("numbers in words", () => {
	it.each([
		[0, "0 B"],
		[999, "999 B"],
		[1500, "1.5 kB"],
		[19_400_000, "19 MB"],
		[999_600_000, "1.0 GB"],
		[null, ""],
	])("%s bytes are %s", (size, text) => expect(bytes(size)).toBe(text));

	it.each([
		[0.2, "less than a second"],
		[42.4, "42 s"],
		[130, "2 min"],
		[7300, "2 h 2 min"],
	])("%d seconds are %s", (seconds, text) => expect(duration(seconds)).toBe(text));

	it("counts one as one", () => {
		expect(counted(1, "item")).toBe("1 item");
		expect(counted(5000, "item")).toBe("5,000 items");
		expect(counted(2, "entry", "entries")).toBe("2 entries");
	});

	it("takes the last part of any path", () => {
		expect(baseName("/data/coco/")).toBe("coco");
		expect(baseName("C:\\data\\a.zip")).toBe("a.zip");
		expect(baseName("/")).toBe("/");
	});
});

describe("colours", () => {
	it("believes #rrggbb only", () => {
		expect(safeColor("#12aBcd")).toBe("#12aBcd");
		for (const bad of ["red", "#fff", "#ffffff;x", "url(x)", "", null]) {
			expect(safeColor(bad)).toBe("#808080");
		}
	});

	it("writes on them legibly", () => {
		expect(inkOn("#ffff00")).toBe("#000");
		expect(inkOn("#000080")).toBe("#fff");
	});
});
