/** Files to Python in chunks over the widget's own channel: any size, any number, back-pressure. */
import type { UploadTransport } from "./types.ts";

export interface UploadFile {
	/** Path within what was dropped, with "/": folders survive the way. */
	path: string;
	file: Blob;
}

export interface UploadProgress {
	files: number;
	filesDone: number;
	bytes: number;
	bytesDone: number;
	secondsLeft: number | null;
}

interface Chunk {
	file: number;
	offset: number;
	size: number;
}

/** How often a chunk is sent that nobody answers. */
const ATTEMPTS = 5;
/** How long the first try waits, each further one twice as long: a cell may keep the kernel busy. */
const TIMEOUT_MS = 15_000;
/** Small files share the window of bytes; more messages than this at once gain nothing. */
const MAX_IN_FLIGHT = 32;
/** A message of the socket holds 10 MiB at most: longer lists of files go in parts. */
const LIST_BYTES = 4_000_000;

/**
 * Send `files`; resolves to the name of the source that they are now.
 *
 * At most `window` chunks' worth of bytes is on the way at any time: each answer makes room for
 * the next chunk, so neither the socket nor the kernel collects what it can't use yet.
 */
export async function upload(
	files: UploadFile[],
	transport: UploadTransport,
	signal: AbortSignal,
	onProgress: (progress: UploadProgress) => void,
): Promise<string> {
	const begun = await begin(files, transport);
	const stop = new AbortController();
	const onAbort = () => stop.abort(signal.reason);
	if (signal.aborted) onAbort();
	signal.addEventListener("abort", onAbort);
	try {
		await sendAll(files, begun, transport, stop, onProgress);
		stop.signal.throwIfAborted();
		return await transport.end(begun.upload);
	} catch (error) {
		stop.abort(error);
		transport.abort(begun.upload);
		throw error;
	} finally {
		signal.removeEventListener("abort", onAbort);
	}
}

async function begin(files: UploadFile[], transport: UploadTransport) {
	const parts: { path: string; size: number }[][] = [[]];
	let bytes = 0;
	for (const { path, file } of files) {
		bytes += 3 * path.length + 40; // at most: a UTF-16 unit is three bytes of UTF-8 or less
		if (bytes > LIST_BYTES) {
			parts.push([]);
			bytes = 0;
		}
		parts.at(-1)?.push({ path, size: file.size });
	}
	const [first = [], ...others] = parts;
	const begun = await transport.begin(first);
	for (const part of others) await transport.begin(part, begun.upload);
	return begun;
}

async function sendAll(
	files: UploadFile[],
	{ upload, chunk_bytes, window }: { upload: string; chunk_bytes: number; window: number },
	transport: UploadTransport,
	stop: AbortController,
	onProgress: (progress: UploadProgress) => void,
): Promise<void> {
	const clock = new Clock(files);
	const left = files.map(({ file }) => Math.ceil(file.size / chunk_bytes));
	clock.filesDone = left.filter((chunks) => chunks === 0).length;
	onProgress(clock.progress());
	const waiting = chunks(files, chunk_bytes);
	const budget = chunk_bytes * window;
	let bytes = 0;
	const flying = new Set<Promise<void>>();
	for (const chunk of waiting) {
		while (flying.size > 0 && (bytes + chunk.size > budget || flying.size >= MAX_IN_FLIGHT)) {
			await Promise.race(flying);
		}
		stop.signal.throwIfAborted();
		bytes += chunk.size;
		const { file } = files[chunk.file] as UploadFile;
		const sent = send(file, chunk, upload, transport, stop.signal).then(() => {
			bytes -= chunk.size;
			flying.delete(sent);
			left[chunk.file] = (left[chunk.file] as number) - 1;
			clock.add(chunk.size, left[chunk.file] === 0);
			onProgress(clock.progress());
		});
		// The race above, or the wait below, hears of it; this only keeps it from being "unhandled".
		sent.catch(() => undefined);
		flying.add(sent);
	}
	await Promise.all(flying);
}

function* chunks(files: UploadFile[], chunkBytes: number): Generator<Chunk> {
	for (const [file, { file: blob }] of files.entries()) {
		for (let offset = 0; offset < blob.size; offset += chunkBytes) {
			yield { file, offset, size: Math.min(chunkBytes, blob.size - offset) };
		}
	}
}

async function send(
	blob: Blob,
	{ file, offset, size }: Chunk,
	upload: string,
	transport: UploadTransport,
	signal: AbortSignal,
): Promise<void> {
	for (let attempt = 1; ; attempt++) {
		// Read anew for each attempt: holding every chunk until its answer would double the memory.
		const bytes = await blob.slice(offset, offset + size).arrayBuffer();
		signal.throwIfAborted();
		try {
			return await transport.chunk(
				{ upload, file, offset },
				bytes,
				TIMEOUT_MS * 2 ** (attempt - 1),
				signal,
			);
		} catch (error) {
			if (signal.aborted) throw error;
			const silent = (error as Error).name === "NoReplyError";
			// Python refuses a piece that it has: then it was the answer that got lost. Whether all
			// pieces are there is checked at the end.
			if (attempt > 1 && (error as { type?: string }).type === "OptionError") return;
			// Only silence is worth another try; what Python refuses once it refuses again.
			if (!silent || attempt === ATTEMPTS) throw error;
		}
	}
}

/** What has arrived, and how long the rest takes at the pace so far. */
class Clock {
	filesDone = 0;
	#bytesDone = 0;
	readonly #files: number;
	readonly #bytes: number;
	readonly #since = performance.now();

	constructor(files: UploadFile[]) {
		this.#files = files.length;
		this.#bytes = files.reduce((sum, { file }) => sum + file.size, 0);
	}

	add(bytes: number, fileDone: boolean): void {
		this.#bytesDone += bytes;
		if (fileDone) this.filesDone += 1;
	}

	progress(): UploadProgress {
		const elapsed = (performance.now() - this.#since) / 1000;
		const known = this.#bytesDone > 0 && elapsed > 0.5;
		const left = this.#bytes - this.#bytesDone;
		return {
			files: this.#files,
			filesDone: this.filesDone,
			bytes: this.#bytes,
			bytesDone: this.#bytesDone,
			secondsLeft: known ? (elapsed * left) / this.#bytesDone : null,
		};
	}
}
