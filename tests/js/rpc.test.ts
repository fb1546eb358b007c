import { afterEach, describe, expect, it, vi } from "vitest";
import { caller, NoReplyError, PythonError } from "../../src/nbannot/js/shared/rpc.ts";
import { FakeModel } from "./fake-model.ts";

function start() {
	const fake = new FakeModel({});
	const lifetime = new AbortController();
	return { fake, lifetime, call: caller(fake.model, lifetime.signal) };
}

afterEach(() => vi.useRealTimers());

describe("a call", () => {
	it("resolves with its own result and buffers, then stops listening", async () => {
		const { fake, call } = start();
		const pending = call("page", { start: 0 });
		fake.reply({ kind: "result", id: "someone else", result: 1 });
		fake.answer("page", 7, [new DataView(new ArrayBuffer(2))]);
		const { result, buffers } = await pending;
		expect(result).toBe(7);
		expect(buffers).toHaveLength(1);
		expect(fake.listeners()).toBe(0);
	});

	it("sends bytes beside the message", () => {
		const { fake, call } = start();
		const bytes = new ArrayBuffer(4);
		void call("upload_chunk", { file: 0 }, { buffers: [bytes] }).catch(() => undefined);
		expect(fake.buffers[0]).toEqual([bytes]);
	});

	it("reports progress, and rejects with what, where and what to do", async () => {
		const { fake, call } = start();
		const onProgress = vi.fn();
		const pending = call("start", {}, { onProgress });
		const { id } = fake.sent[0] as { id: string };
		fake.reply({ kind: "progress", id, done: 1, total: 2 });
		fake.reply({ kind: "error", id, type: "X", message: "bad", where: "a.json", hint: "fix it" });
		await expect(pending).rejects.toMatchObject({
			message: "bad",
			where: "a.json",
			hint: "fix it",
		});
		await expect(pending).rejects.toBeInstanceOf(PythonError);
		expect(onProgress).toHaveBeenCalledOnce();
	});

	it("tells Python to stop when it is aborted", async () => {
		const { fake, call } = start();
		const abort = new AbortController();
		const pending = call("page", {}, { signal: abort.signal });
		abort.abort();
		await expect(pending).rejects.toThrow();
		expect(fake.sent.at(-1)).toMatchObject({ kind: "cancel", id: fake.sent[0]?.id });
		expect(fake.listeners()).toBe(0);
	});

	it("is cancelled with its view, unless the work outlives it", async () => {
		const { fake, lifetime, call } = start();
		const page = call("page");
		const work = call("start", {}, { outlives: true });
		lifetime.abort();
		await expect(page).rejects.toThrow();
		await expect(work).rejects.toThrow();
		expect(fake.sent.filter(({ kind }) => kind === "cancel")).toHaveLength(1);
		expect(fake.listeners()).toBe(0);
	});

	it("gives up when nothing comes back in time", async () => {
		vi.useFakeTimers();
		const { fake, call } = start();
		const pending = call("upload_chunk", {}, { timeoutMs: 30_000 });
		vi.advanceTimersByTime(30_000);
		await expect(pending).rejects.toBeInstanceOf(NoReplyError);
		expect(fake.listeners()).toBe(0);
	});
});
