import { describe, expect, it } from "vitest";
import { type DrawOptions, drawAnnotations, maskRaster } from "../../src/nbannot/js/shared/draw.ts";
import { annotationAt, boundsOf, fit, zoomed } from "../../src/nbannot/js/shared/geometry.ts";
import { decodePage } from "../../src/nbannot/js/shared/page.ts";
import { fakeContext } from "./fake-context.ts";
import { type ItemSpec, makePage, type Shape } from "./make-page.ts";

function pageOf(shapes: Shape[], item: ItemSpec = {}) {
	const { header, buffers } = makePage([{ ...item, shapes }]);
	return decodePage(header, buffers);
}

/** Draw shapes at twice their size, 10 px from the left. */
function draw(shapes: Shape[], options: Partial<DrawOptions> = {}) {
	const fake = fakeContext();
	const frame = { scale: 2, left: 10, top: 0 };
	drawAnnotations(fake.context, pageOf(shapes), 0, { frame, lineWidth: 1, ...options });
	/** Where the pen went, in order. */
	const path = fake.drawn
		.filter(({ call }) => call === "moveTo" || call === "lineTo")
		.map(({ args }) => args.map((value) => Math.round(value as number)));
	return { ...fake, path };
}

describe("shapes on the canvas", () => {
	it("draws a box in its label's colour, scaled and shifted", () => {
		const { path, calls } = draw([{ type: "box", label: 0, box: [5, 10, 20, 30] }]);
		expect(path).toEqual([
			[20, 20],
			[60, 20],
			[60, 80],
			[20, 80],
		]);
		expect(calls("stroke")[0]).toMatchObject({ stroke: "#ff0000", alpha: 1, dash: [] });
	});

	it("turns a box clockwise about its centre", () => {
		const { path } = draw([{ type: "box", box: [0, 0, 20, 10], rotation: 90 }]);
		expect(path).toEqual([
			[40, -10],
			[40, 30],
			[20, 30],
			[20, -10],
		]);
	});

	it("fills each part of a polygon on its own, holes left out", () => {
		const square = (x: number) => [x, 0, x + 9, 0, x + 9, 9, x, 9];
		const { calls } = draw([
			{ type: "polygon", points: [...square(0), ...square(3), ...square(20)], rings: [4, -4, 4] },
		]);
		expect(calls("fill")).toHaveLength(2);
		expect(calls("fill").every(({ args }) => args[0] === "evenodd")).toBe(true);
		expect(calls("closePath")).toHaveLength(3);
	});

	it("draws a polygon without rings as one ring", () => {
		expect(draw([{ type: "polygon", points: [0, 0, 5, 0, 5, 5] }]).path).toHaveLength(3);
	});

	it("leaves a polyline open", () => {
		const { calls, path } = draw([{ type: "polyline", points: [0, 0, 5, 5, 9, 0] }]);
		expect(path).toHaveLength(3);
		expect(calls("closePath")).toHaveLength(0);
		expect(calls("fill")).toHaveLength(0);
	});

	it("joins the joints of a skeleton by its label's edges, leaves absent ones out, hidden ones hollow", () => {
		const points = [0, 0, 10, 0, 20, 0];
		const { path, calls } = draw([{ type: "skeleton", label: 1, points, visibility: [2, 1, 0] }]);
		expect(path).toEqual([
			[10, 0],
			[30, 0],
		]);
		expect(calls("arc")).toHaveLength(2);
		expect(calls("fill")).toHaveLength(1); // the visible one only
	});

	it("draws an ellipse by its box and rotation", () => {
		const { calls } = draw([{ type: "ellipse", box: [0, 0, 20, 10], rotation: 180 }]);
		expect(calls("ellipse")[0]?.args.slice(0, 5)).toEqual([30, 10, 20, 10, Math.PI]);
	});

	it("draws a cuboid as two faces and four edges", () => {
		const points = [0, 0, 4, 0, 4, 4, 0, 4, 1, 1, 5, 1, 5, 5, 1, 5];
		expect(draw([{ type: "cuboid", points }]).path).toHaveLength(8 + 8);
	});

	it("dashes predictions", () => {
		const { calls } = draw([{ type: "box", layer: 1, box: [0, 0, 1, 1] }]);
		expect(calls("stroke")[0]?.dash).not.toEqual([]);
	});

	it("brings one annotation out, last, and the others faint", () => {
		const box: Shape = { type: "box", box: [0, 0, 1, 1] };
		const { calls } = draw(
			[
				{ ...box, label: 0 },
				{ ...box, label: 1 },
			],
			{ active: 0 },
		);
		expect(calls("stroke").map(({ stroke, alpha }) => [stroke, alpha])).toEqual([
			["#00ff00", 0.3],
			["#ff0000", 1],
		]);
	});

	it("does not believe a colour that is none", () => {
		const { header, buffers } = makePage(
			[{ shapes: [{ type: "box", label: 0, box: [0, 0, 1, 1] }] }],
			{
				labels: [{ name: "x", color: "#fff;background:url(//evil)", points: null, edges: [] }],
			},
		);
		const fake = fakeContext();
		const frame = { scale: 1, left: 0, top: 0 };
		drawAnnotations(fake.context, decodePage(header, buffers), 0, { frame, lineWidth: 1 });
		expect(fake.calls("stroke")[0]?.stroke).toBe("#808080");
	});
});

describe("masks", () => {
	it("are painted at the size they are shown at", () => {
		const page = pageOf([{ type: "mask", label: 0, mask: "0<", size: [3, 4] }], {
			width: 4,
			height: 3,
		});
		expect(maskRaster(page, 0, 100)).toMatchObject({ width: 4, height: 3 });
		expect(maskRaster(page, 0, 2)).toMatchObject({ width: 2, height: 2 });
		expect(maskRaster(page, 0, 2)?.pixels.every((value) => value !== 0)).toBe(true);
	});

	it("give the item its size where it has none", () => {
		const page = pageOf([{ type: "mask", mask: "0<", size: [3, 4] }], {
			width: null,
			height: null,
		});
		expect(maskRaster(page, 0, 100)).toMatchObject({ width: 4, height: 3 });
	});

	it("are no raster where there are none", () => {
		expect(maskRaster(pageOf([{ type: "tag" }]), 0, 100)).toBeNull();
	});
});

describe("finding annotations", () => {
	it("takes the smallest under the pointer", () => {
		const page = pageOf([
			{ type: "box", box: [0, 0, 50, 50] },
			{ type: "polygon", points: [10, 10, 20, 10, 20, 20] },
			{ type: "tag", label: 0 },
		]);
		expect(annotationAt(page, 0, 15, 15)).toBe(1);
		expect(annotationAt(page, 0, 40, 40)).toBe(0);
		expect(annotationAt(page, 0, 60, 60)).toBeNull();
		expect(boundsOf(page, 2)).toBeNull();
	});
});

describe("frames", () => {
	it("fit an item whole and centred", () => {
		expect(fit(100, 50, 200, 200)).toEqual({ scale: 2, left: 0, top: 50 });
	});

	it("zoom about the pointer", () => {
		const frame = zoomed({ scale: 1, left: 0, top: 0 }, 2, 30, 40);
		expect([30 * frame.scale + frame.left, 40 * frame.scale + frame.top]).toEqual([30, 40]);
	});
});
