import { describe, expect, it } from "vitest";
import { columnsOf, moved, TypeAhead } from "../../src/nbannot/js/shared/keys.ts";

describe("moving with the keyboard", () => {
	it("goes up and down a list, and stays inside", () => {
		expect(moved("ArrowDown", 0, 3)).toBe(1);
		expect(moved("ArrowUp", 0, 3)).toBeNull();
		expect(moved("End", 0, 3)).toBe(2);
		expect(moved("ArrowRight", 0, 3)).toBeNull();
		expect(moved("Home", 0, 0)).toBeNull();
	});

	it("goes by rows and columns in a grid", () => {
		expect(moved("ArrowDown", 1, 10, 4)).toBe(5);
		expect(moved("ArrowRight", 1, 10, 4)).toBe(2);
		expect(moved("ArrowDown", 7, 10, 4)).toBeNull();
	});

	it("counts the columns that the browser laid out", () => {
		const grid = document.createElement("ul");
		for (const top of [0, 0, 0, 50, 50]) {
			const child = document.createElement("li");
			Object.defineProperty(child, "offsetTop", { value: top });
			grid.append(child);
		}
		expect(columnsOf(grid)).toBe(3);
	});
});

describe("typing a name", () => {
	const names = ["annotations", "anno.zip", "train", "test", "val"];

	it("finds the name that begins with what was typed", () => {
		const ahead = new TypeAhead();
		expect(ahead.find("t", names, 0, 0)).toBe(2);
		expect(ahead.find("e", names, 2, 100)).toBe(3);
	});

	it("begins anew after a second, and goes through names with one letter", () => {
		const ahead = new TypeAhead();
		expect(ahead.find("a", names, 2, 0)).toBe(0);
		expect(ahead.find("a", names, 0, 100)).toBe(1);
		expect(ahead.find("v", names, 1, 2000)).toBe(4);
		expect(ahead.find("x", names, 1, 4000)).toBeNull();
	});
});
