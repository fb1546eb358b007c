/** Pictures of a page: bytes to bitmaps, never by URL, closed when no longer shown. */
import type { Page } from "./page.ts";

/** First bytes of what we decode. Anything else, SVG above all, is no picture to us. */
const MAGIC: [string, number[]][] = [
	["image/jpeg", [0xff, 0xd8, 0xff]],
	["image/png", [0x89, 0x50, 0x4e, 0x47]],
	["image/webp", [0x52, 0x49, 0x46, 0x46]],
	["image/gif", [0x47, 0x49, 0x46, 0x38]],
];

export function pictureType(bytes: Uint8Array): string | null {
	const fits = ([, magic]: (typeof MAGIC)[number]) => magic.every((byte, i) => bytes[i] === byte);
	return MAGIC.find(fits)?.[0] ?? null;
}

/** A page with its pictures decoded, in the order of its items; null: no picture. */
export interface LoadedPage {
	page: Page;
	pictures: (ImageBitmap | null)[];
	close(): void;
}

export async function loadPictures(page: Page): Promise<LoadedPage> {
	const pictures = await Promise.all(page.items.map((_, i) => decode(page.thumbnail(i))));
	return {
		page,
		pictures,
		close() {
			for (const picture of pictures) picture?.close();
		},
	};
}

async function decode(bytes: Uint8Array | null): Promise<ImageBitmap | null> {
	const type = bytes && pictureType(bytes);
	if (!type) return null;
	try {
		return await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>], { type }));
	} catch {
		return null; // The tile then says that there is no picture; the item itself is fine.
	}
}
