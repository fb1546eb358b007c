/** Typed request and reply over anywidget's custom messages: errors, progress, cancel, buffers. */
import type { AnyModel } from "@anywidget/types";

export interface CallProgress {
	stage?: string;
	done: number;
	total: number | null;
	note?: string;
}

export interface CallOptions {
	/** Aborting it rejects the promise and tells Python to stop. */
	signal?: AbortSignal;
	onProgress?: (progress: CallProgress) => void;
	/** Bytes that travel up beside the message, not copied into JSON. */
	buffers?: ArrayBuffer[];
	/** Reject with a `NoReplyError` when nothing has come back for this long. */
	timeoutMs?: number;
	/** The work outlives the view: when the view goes, stop listening but do not cancel. */
	outlives?: boolean;
}

export interface Reply<T> {
	result: T;
	buffers: DataView[];
}

/** What components get instead of the model: call a command of the Python side by name. */
export type Call = <T>(name: string, params?: object, options?: CallOptions) => Promise<Reply<T>>;

/** An error raised by the Python side: what happened, where, and what to do. */
export class PythonError extends Error {
	override readonly name = "PythonError";
	constructor(
		readonly type: string,
		message: string,
		readonly where: string,
		readonly hint: string,
	) {
		super(message);
	}
}

/** Python did not answer in time: the message was lost, or the kernel is busy or gone. */
export class NoReplyError extends Error {
	override readonly name = "NoReplyError";
}

type Message =
	| { kind: "result"; id: string; result: unknown }
	| {
			kind: "error";
			id: string;
			type: string;
			message: string;
			where?: string;
			hint?: string;
	  }
	| ({ kind: "progress"; id: string } & CallProgress);

let counter = 0;

/** Return a `Call` on `model` whose listeners die with `lifetime`, that of the view. */
export function caller(model: AnyModel, lifetime: AbortSignal): Call {
	return <T>(name: string, params: object = {}, options: CallOptions = {}) =>
		call<T>(model, lifetime, name, params, options);
}

function call<T>(
	model: AnyModel,
	lifetime: AbortSignal,
	name: string,
	params: object,
	{ signal, onProgress, buffers, timeoutMs, outlives }: CallOptions,
): Promise<Reply<T>> {
	const id = `${Date.now().toString(36)}-${(counter++).toString(36)}`;
	return new Promise((resolve, reject) => {
		if (lifetime.aborted) return reject(lifetime.reason);
		if (signal?.aborted) return reject(signal.reason);
		let timer: ReturnType<typeof setTimeout> | undefined;
		const settle = () => {
			clearTimeout(timer);
			model.off("msg:custom", onMessage);
			signal?.removeEventListener("abort", onAbort);
			lifetime.removeEventListener("abort", onLeave);
		};
		const onAbort = () => {
			settle();
			model.send({ kind: "cancel", id });
			reject(signal?.reason);
		};
		const onLeave = () => {
			settle();
			if (!outlives) model.send({ kind: "cancel", id });
			reject(lifetime.reason);
		};
		const onMessage = (message: Message, received: DataView[]) => {
			if (message.id !== id) return;
			if (message.kind === "progress") return onProgress?.(message);
			settle();
			if (message.kind === "error") {
				const { type, where = "", hint = "" } = message;
				reject(new PythonError(type, message.message, where, hint));
			} else resolve({ result: message.result as T, buffers: received ?? [] });
		};
		if (timeoutMs !== undefined) {
			timer = setTimeout(() => {
				settle();
				reject(new NoReplyError(`no reply to ${name} for ${timeoutMs / 1000} s`));
			}, timeoutMs);
		}
		signal?.addEventListener("abort", onAbort);
		lifetime.addEventListener("abort", onLeave);
		model.on("msg:custom", onMessage);
		model.send({ kind: "call", id, name, params }, undefined, buffers ?? []);
	});
}
