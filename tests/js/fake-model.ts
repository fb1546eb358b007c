/** The whole model of a widget in 50 lines, with a Python that the test plays. */
import type { AnyModel } from "@anywidget/types";

type Handler = (...args: never[]) => void;
type Message = { kind: string; id: string; name: string; params: Record<string, unknown> };

export class FakeModel<T extends Record<string, unknown>> {
	readonly sent: Message[] = [];
	readonly buffers: unknown[] = [];
	saved = 0;
	#state: T;
	#handlers = new Map<string, Set<Handler>>();

	constructor(state: T) {
		this.#state = { ...state };
	}
	get<K extends keyof T>(key: K): T[K] {
		return this.#state[key];
	}
	set<K extends keyof T & string>(key: K, value: T[K]): void {
		this.#state[key] = value;
		this.#emit(`change:${key}`);
	}
	save_changes(): void {
		this.saved += 1;
	}
	send(content: Message, _callbacks?: unknown, buffers?: unknown): void {
		this.sent.push(content);
		this.buffers.push(buffers);
	}
	on(event: string, handler: Handler): void {
		const handlers = this.#handlers.get(event) ?? new Set();
		this.#handlers.set(event, handlers.add(handler));
	}
	off(event?: string | null, handler?: Handler | null): void {
		if (event && handler) this.#handlers.get(event)?.delete(handler);
	}
	/** Play Python: answer with a custom message. */
	reply(message: object, buffers: DataView[] = []): void {
		this.#emit("msg:custom", message, buffers);
	}
	/** Answer the newest call of a command, or the one with these params. */
	answer(name: string, result: unknown, buffers: DataView[] = []): void {
		const call = this.calls(name).at(-1);
		if (!call) throw new Error(`no call of ${name}`);
		this.reply({ kind: "result", id: call.id, result }, buffers);
	}
	calls(name: string): Message[] {
		return this.sent.filter((message) => message.kind === "call" && message.name === name);
	}
	listeners(): number {
		return [...this.#handlers.values()].reduce((n, set) => n + set.size, 0);
	}
	#emit(event: string, ...args: unknown[]): void {
		for (const handler of [...(this.#handlers.get(event) ?? [])]) handler(...(args as never[]));
	}
	/** Hand it to code that wants the real interface. */
	get model(): AnyModel<T> {
		return this as unknown as AnyModel<T>;
	}
}
