import type { ComponentChildren } from "preact";
import { safeColor } from "../color.ts";
import type { IconName } from "./icon.tsx";

export type Tone = "neutral" | "good" | "warning" | "bad" | "info";

export function Badge({
	tone = "neutral",
	children,
}: {
	tone?: Tone;
	children: ComponentChildren;
}) {
	return <span class={`nbannot-badge nbannot-tone-${tone}`}>{children}</span>;
}

/** The colour of a label, as a small square. */
export function Swatch({ color }: { color: string }) {
	return <span class="nbannot-swatch" style={{ backgroundColor: safeColor(color) }} />;
}

/** What became of records, in colour, icon and word: never in colour alone. */
export const OUTCOMES: Record<string, { tone: Tone; icon: IconName; word: string }> = {
	rejected: { tone: "bad", icon: "error", word: "not imported" },
	warning: { tone: "warning", icon: "warning", word: "warning" },
	note: { tone: "info", icon: "info", word: "note" },
};
