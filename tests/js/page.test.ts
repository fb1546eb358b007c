/// <reference types="vite/client" />
import { describe, expect, it } from "vitest";
import { decodePage, TYPES } from "../../src/nbannot/js/shared/page.ts";
import { pictureType } from "../../src/nbannot/js/shared/pictures.ts";
import schema from "../../src/nbannot/schema.py?raw";
import { JPEG, makePage } from "./make-page.ts";

describe("decodePage", () => {
	it("gives each item its annotations, whatever order they come in", () => {
		const { header, buffers } = makePage([
			{
				shapes: [
					{ type: "box", box: [1, 2, 3, 4] },
					{ type: "tag", label: 1 },
				],
			},
			{},
			{ shapes: [{ type: "polyline", points: [0, 0, 5, 5] }] },
		]);
		const owner = new Int32Array([2, 0, 0]);
		buffers[0] = new DataView(owner.buffer);
		const page = decodePage(header, buffers);
		expect([...page.annotationsOf(0)]).toEqual([1, 2]);
		expect([...page.annotationsOf(1)]).toEqual([]);
		expect([...page.annotationsOf(2)]).toEqual([0]);
	});

	it("gives each item its picture, and null where there is none", () => {
		const { header, buffers } = makePage([{ picture: JPEG }, {}, { picture: [1, 2] }]);
		const page = decodePage(header, buffers);
		expect([...(page.thumbnail(0) ?? [])]).toEqual(JPEG);
		expect(page.thumbnail(1)).toBeNull();
		expect(page.thumbnail(2)).toHaveLength(2);
	});

	it.each([0, 3])("reads a column that lies at byte %i of a larger buffer", (offset) => {
		const { header, buffers } = makePage([{ shapes: [{ type: "box", box: [1.5, 0, 0, 0] }] }]);
		const at = header.columns.findIndex(({ name }) => name === "annotation.x");
		const bytes = new Uint8Array(offset + 4);
		bytes.set(new Uint8Array(new Float32Array([1.5]).buffer), offset);
		buffers[at] = new DataView(bytes.buffer, offset, 4);
		expect(decodePage(header, buffers).x[0]).toBe(1.5);
	});

	it("says what is wrong with a page that does not fit its header", () => {
		const { header, buffers } = makePage([{}]);
		expect(() => decodePage(header, buffers.slice(1))).toThrow("21 columns but 20 buffers");
		const renamed = {
			...header,
			columns: header.columns.map((c) => ({ ...c, name: `_${c.name}` })),
		};
		expect(() => decodePage(renamed, buffers)).toThrow("no column annotation.item");
	});

	it("knows the types in the order of schema.py", () => {
		const body = /^TYPES = \((.*?)^\)/ms.exec(schema)?.[1] ?? "";
		expect([...body.matchAll(/"(\w+)"/g)].map(([, name]) => name)).toEqual([...TYPES]);
	});
});

describe("pictureType", () => {
	it("goes by the first bytes, and takes no SVG or HTML", () => {
		const ascii = (text: string) => new TextEncoder().encode(text);
		expect(pictureType(new Uint8Array(JPEG))).toBe("image/jpeg");
		expect(pictureType(ascii("\x89PNG\r\n"))).toBeNull(); // two bytes in UTF-8: not the magic
		expect(pictureType(new Uint8Array([0x89, 0x50, 0x4e, 0x47]))).toBe("image/png");
		expect(pictureType(ascii("<svg onload='alert(1)'>"))).toBeNull();
		expect(pictureType(ascii("<!doctype html>"))).toBeNull();
	});
});
