import { describe, expect, it, vi } from "vitest";
import { NoReplyError, PythonError } from "../../src/nbannot/js/shared/rpc.ts";
import { droppedFiles, pickedFiles } from "../../src/nbannot/js/widgets/import/dropped.ts";
import type { UploadTransport } from "../../src/nbannot/js/widgets/import/types.ts";
import { type UploadProgress, upload } from "../../src/nbannot/js/widgets/import/uploader.ts";

const CHUNK = 4;

/** A Python that keeps what arrives, and answers a chunk when the test says so. */
function fakePython({ window = 2, auto = true } = {}) {
	const kept: number[][] = [];
	const waiting: { file: number; offset: number; answer: () => void; fail: (e: Error) => void }[] =
		[];
	const lists: { path: string; size: number }[][] = [];
	const aborted: string[] = [];
	let flying = 0;
	let most = 0;
	const transport: UploadTransport = {
		begin: async (files) => {
			lists.push(files);
			for (const { size } of files) kept.push(new Array(size).fill(-1));
			return { upload: "u1", chunk_bytes: CHUNK, window };
		},
		chunk: ({ file, offset }, bytes) => {
			most = Math.max(most, ++flying);
			return new Promise<void>((resolve, reject) => {
				const answer = () => {
					flying -= 1;
					kept[file]?.splice(offset, bytes.byteLength, ...new Uint8Array(bytes));
					resolve();
				};
				const fail = (error: Error) => {
					flying -= 1;
					reject(error);
				};
				waiting.push({ file, offset, answer, fail });
				if (auto) setTimeout(answer);
			});
		},
		end: async (name) => `upload:${name}`,
		abort: (name) => void aborted.push(name),
	};
	return { transport, kept, waiting, lists, aborted, most: () => most };
}

const file = (path: string, size: number) => ({
	path,
	file: new Blob([Uint8Array.from({ length: size }, (_, i) => i % 251)]),
});
const never = new AbortController().signal;

describe("an upload", () => {
	it("brings every byte to its place, and reports until all is there", async () => {
		const python = fakePython();
		const seen: UploadProgress[] = [];
		const source = await upload(
			[file("a/1.jpg", 10), file("a/empty.txt", 0), file("a/2.jpg", 3)],
			python.transport,
			never,
			(progress) => seen.push(progress),
		);
		expect(source).toBe("upload:u1");
		expect(python.lists[0]?.map(({ path }) => path)).toEqual(["a/1.jpg", "a/empty.txt", "a/2.jpg"]);
		expect(python.kept).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [], [0, 1, 2]]);
		expect(seen.at(-1)).toMatchObject({ bytes: 13, bytesDone: 13, files: 3, filesDone: 3 });
	});

	it("has no more on the way than the window holds: an answer makes room for the next", async () => {
		const python = fakePython({ window: 2, auto: false });
		const done = upload([file("big", 40)], python.transport, never, () => undefined);
		await vi.waitFor(() => expect(python.waiting).toHaveLength(2));
		python.waiting[0]?.answer();
		await vi.waitFor(() => expect(python.waiting).toHaveLength(3));
		for (let i = 1; i < 10; i++) {
			await vi.waitFor(() => expect(python.waiting.length).toBeGreaterThan(i));
			python.waiting[i]?.answer();
		}
		await done;
		expect(python.most()).toBe(2);
	});

	it("lets small files share the window", async () => {
		const python = fakePython({ window: 2, auto: false });
		const files = Array.from({ length: 12 }, (_, i) => file(`${i}`, 1));
		const done = upload(files, python.transport, never, () => undefined);
		await vi.waitFor(() => expect(python.waiting).toHaveLength(8)); // 2 x 4 bytes
		for (let i = 0; i < 12; i++) {
			await vi.waitFor(() => expect(python.waiting.length).toBeGreaterThan(i));
			python.waiting[i]?.answer();
		}
		await done;
	});

	it("sends a chunk again that nobody answered", async () => {
		const python = fakePython({ auto: false });
		const done = upload([file("a", 3)], python.transport, never, () => undefined);
		await vi.waitFor(() => expect(python.waiting).toHaveLength(1));
		python.waiting[0]?.fail(new NoReplyError("no reply"));
		await vi.waitFor(() => expect(python.waiting).toHaveLength(2));
		python.waiting[1]?.answer();
		expect(await done).toBe("upload:u1");
		expect(python.kept).toEqual([[0, 1, 2]]);
	});

	it("goes on when a chunk had arrived, and only its answer was lost", async () => {
		const python = fakePython({ auto: false });
		const done = upload([file("a", 3)], python.transport, never, () => undefined);
		await vi.waitFor(() => expect(python.waiting).toHaveLength(1));
		python.waiting[0]?.fail(new NoReplyError("no reply"));
		await vi.waitFor(() => expect(python.waiting).toHaveLength(2));
		const refusal = new PythonError("OptionError", "byte 3 was due, not byte 0", "", "");
		python.waiting[1]?.fail(refusal);
		expect(await done).toBe("upload:u1");
	});

	it("stops at what Python refuses, and tells it to forget the rest", async () => {
		const python = fakePython({ auto: false });
		const done = upload([file("a", 3)], python.transport, never, () => undefined);
		const refused = expect(done).rejects.toThrow("disk full");
		await vi.waitFor(() => expect(python.waiting).toHaveLength(1));
		python.waiting[0]?.fail(new Error("disk full"));
		await refused;
		expect(python.waiting).toHaveLength(1);
		expect(python.aborted).toEqual(["u1"]);
	});

	it("is cancelled at once", async () => {
		const python = fakePython({ window: 1, auto: false });
		const cancel = new AbortController();
		const done = upload([file("a", 30)], python.transport, cancel.signal, () => undefined);
		const stopped = expect(done).rejects.toThrow();
		await vi.waitFor(() => expect(python.waiting).toHaveLength(1));
		cancel.abort();
		python.waiting[0]?.answer();
		await stopped;
		expect(python.waiting).toHaveLength(1);
		expect(python.aborted).toEqual(["u1"]);
	});

	it("announces very many files in several messages", async () => {
		const python = fakePython();
		const many = Array.from({ length: 30_000 }, (_, i) => file(`${"x".repeat(60)}${i}`, 0));
		await upload(many, python.transport, never, () => undefined);
		expect(python.lists.length).toBeGreaterThan(1);
		expect(python.lists.flat()).toHaveLength(30_000);
	});
});

describe("what was dropped", () => {
	const entry = (fullPath: string, children?: object[]) => ({
		name: fullPath.split("/").pop(),
		fullPath,
		isFile: !children,
		file: (found: (file: File) => void) => found(new File(["x"], fullPath)),
		createReader: () => {
			const batches = [children?.slice(0, 1), children?.slice(1), []];
			return { readEntries: (found: (batch: unknown) => void) => found(batches.shift()) };
		},
	});
	const item = (of: object) => ({ kind: "file", webkitGetAsEntry: () => of });

	it("is walked through, folder by folder, batch by batch", async () => {
		const folder = entry("/coco", [
			entry("/coco/annotations", [entry("/coco/annotations/a.json")]),
			entry("/coco/1.jpg"),
			entry("/coco/.DS_Store"),
		]);
		const items = [item(folder), item(entry("/notes.txt")), { kind: "string" }];
		const found = await droppedFiles({ items } as unknown as DataTransfer);
		expect(found.map(({ path }) => path)).toEqual([
			"coco/annotations/a.json",
			"coco/1.jpg",
			"notes.txt",
		]);
	});

	it("keeps the folder's paths of a picked folder", () => {
		const picked = new File(["x"], "1.jpg");
		Object.defineProperty(picked, "webkitRelativePath", { value: "coco/val/1.jpg" });
		expect(pickedFiles([picked, new File(["x"], "a.zip")]).map(({ path }) => path)).toEqual([
			"coco/val/1.jpg",
			"a.zip",
		]);
	});
});
