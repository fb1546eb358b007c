import { useLayoutEffect, useRef } from "preact/hooks";
import { drawTile } from "../canvas.ts";
import { sizeOf } from "../draw.ts";
import { labelOf, type Page, typeOf } from "../page.ts";
import { baseName, counted } from "../text.ts";
import { Swatch } from "../ui/badge.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";

const KIND_ICONS: Record<string, IconName> = {
	image: "image",
	video: "video",
	audio: "audio",
	text: "text",
	table: "table",
	time_series: "audio",
};

/** Annotations without a place on a picture: they are listed, not drawn. */
const PLACELESS = new Set([
	"tag",
	"choice",
	"taxonomy",
	"rating",
	"number",
	"datetime",
	"text",
	"pairwise",
	"ranking",
	"text_span",
	"time_span",
]);

const CHIPS = 3;

/** One item of a page: picture, annotations, name. Its height never depends on what is in it. */
export function Tile({
	page,
	index,
	picture,
	pixels,
	label,
	reachable,
	onOpen,
	onFocus,
}: {
	page: Page;
	index: number;
	picture: ImageBitmap | null;
	/** Width of the canvas in device pixels. */
	pixels: number;
	label: string;
	reachable: boolean;
	onOpen: () => void;
	onFocus: () => void;
}) {
	const canvas = useRef<HTMLCanvasElement>(null);
	const item = page.items[index] as Page["items"][number];
	useLayoutEffect(() => {
		if (canvas.current) drawTile(canvas.current, page, index, picture, label);
	}, [page, index, picture, label, pixels]);
	const chips = chipsOf(page, index);
	const drawn = sizeOf(page, index) !== null && item.annotations > chips.length;
	return (
		<li>
			<button
				type="button"
				class="nbannot-tile"
				tabIndex={reachable ? 0 : -1}
				title={item.key}
				onClick={onOpen}
				onFocus={onFocus}
			>
				<span class="nbannot-hidden">{describe(page, index)}</span>
				<span class="nbannot-tile-picture" aria-hidden="true">
					<canvas ref={canvas} width={pixels} height={Math.round(pixels * 0.75)} />
					{!picture && (
						// Annotations may be drawn without their picture: the note then keeps to the edge.
						<span class={`nbannot-tile-blank ${drawn ? "nbannot-tile-drawn" : ""}`}>
							{item.text ? (
								<span class="nbannot-tile-text">{item.text}</span>
							) : (
								<>
									<Icon name={KIND_ICONS[item.kind] ?? "other"} size={drawn ? 14 : 20} />
									<span>{item.note || (item.kind === "image" ? "no picture" : item.kind)}</span>
								</>
							)}
						</span>
					)}
					{chips.length > 0 && (
						<span class="nbannot-tile-chips">
							{chips.slice(0, CHIPS).map(({ color, text }, i) => (
								<span key={i} class="nbannot-chip">
									<Swatch color={color} />
									<span>{text}</span>
								</span>
							))}
							{chips.length > CHIPS && <span class="nbannot-chip">+{chips.length - CHIPS}</span>}
						</span>
					)}
				</span>
				<span class="nbannot-tile-caption" aria-hidden="true">
					{/* Names of a data set differ at their end: that is the part to see. */}
					<span class="nbannot-tile-name">
						<bdi dir="ltr">{baseName(item.key)}</bdi>
					</span>
					{item.note && picture ? (
						<span class="nbannot-tile-note">
							<Icon name="warning" size={12} />
						</span>
					) : (
						<span class="nbannot-count">{item.annotations}</span>
					)}
				</span>
			</button>
		</li>
	);
}

/** Where a page will be: as many places as it will have items. */
export function SkeletonTiles({ count }: { count: number }) {
	return (
		<>
			{Array.from({ length: count }, (_, i) => (
				<li key={`skeleton-${i}`} class="nbannot-tile nbannot-skeleton" aria-hidden="true">
					<span class="nbannot-tile-picture" />
					<span class="nbannot-tile-caption"> </span>
				</li>
			))}
		</>
	);
}

function chipsOf(page: Page, index: number): { color: string; text: string }[] {
	const chips = [];
	for (const a of page.annotationsOf(index)) {
		if (!PLACELESS.has(typeOf(page, a) ?? "")) continue;
		const label = labelOf(page, a);
		const text = [label?.name, page.texts[a]].filter(Boolean).join(": ") || typeOf(page, a);
		chips.push({ color: label?.color ?? "", text: text ?? "" });
	}
	return chips;
}

/** "cat.jpg, 3 annotations: 2 cat, 1 dog": the tile in words. */
export function describe(page: Page, index: number): string {
	const item = page.items[index];
	if (!item) return "";
	const counts = new Map<string, number>();
	for (const a of page.annotationsOf(index)) {
		const name = labelOf(page, a)?.name ?? typeOf(page, a) ?? "";
		counts.set(name, (counts.get(name) ?? 0) + 1);
	}
	const names = [...counts].slice(0, 5).map(([name, n]) => `${n} ${name}`);
	const list = names.length ? `: ${names.join(", ")}` : "";
	const note = item.note ? `, ${item.note}` : "";
	return `${item.key}, ${counted(item.annotations, "annotation")}${list}${note}`;
}
