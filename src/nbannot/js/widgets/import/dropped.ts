/** What was dropped or picked, as a flat list of files with their paths; folders are walked. */
import type { UploadFile } from "./uploader.ts";

/** Files that systems leave in folders, and nobody means to import. */
const CLUTTER = new Set([".DS_Store", "Thumbs.db", "desktop.ini"]);

/**
 * Return all files of a drop, those in dropped folders too.
 *
 * Must be called while the drop event is handled: afterwards the list of items is empty.
 */
export async function droppedFiles(transfer: DataTransfer): Promise<UploadFile[]> {
	const entries: FileSystemEntry[] = [];
	const loose: File[] = [];
	for (const item of transfer.items) {
		if (item.kind !== "file") continue;
		const entry = item.webkitGetAsEntry();
		const file = entry ? null : item.getAsFile();
		if (entry) entries.push(entry);
		else if (file) loose.push(file);
	}
	const found = await Promise.all(entries.map(walk));
	return [...found.flat(), ...pickedFiles(loose)];
}

/** Return the files of an `<input type="file">`, with the folder's paths where it has any. */
export function pickedFiles(files: Iterable<File>): UploadFile[] {
	return [...files]
		.map((file) => ({ path: file.webkitRelativePath || file.name, file }))
		.filter(({ file }) => !CLUTTER.has(file.name));
}

async function walk(entry: FileSystemEntry): Promise<UploadFile[]> {
	if (CLUTTER.has(entry.name)) return [];
	const path = entry.fullPath.replace(/^\//, "");
	if (entry.isFile) {
		const file = await new Promise<File>((resolve, reject) =>
			(entry as FileSystemFileEntry).file(resolve, reject),
		);
		return [{ path, file }];
	}
	const reader = (entry as FileSystemDirectoryEntry).createReader();
	const found: UploadFile[] = [];
	// A reader gives 100 entries at a time, and an empty list at the end.
	for (;;) {
		const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
			reader.readEntries(resolve, reject),
		);
		if (batch.length === 0) return found;
		for (const files of await Promise.all(batch.map(walk))) found.push(...files);
	}
}
