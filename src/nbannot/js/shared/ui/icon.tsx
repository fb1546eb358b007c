/** Icons: 16 x 16, drawn in the colour of the text, invisible to screen readers. */
const PATHS = {
	folder: "M1.5 4.5v8h13v-7h-6.5l-1.5-2h-5z",
	file: "M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3",
	archive: "M2 2.5h12v3H2zM3 5.5v8h10v-8M6.5 8h3",
	image: "M2 2.5h12v11H2zM2 11l3.5-3.5 3 3 2-2L14 12M10.2 5.6h.1",
	table: "M2 2.5h12v11H2zM2 6h12M2 9.75h12M6 6v7.5",
	upload: "M8 10.5v-8M4.5 6 8 2.5 11.5 6M2 11v2.5h12V11",
	text: "M2 3h12M2 6.3h12M2 9.7h12M2 13h7",
	audio: "M2 8h1.5M5 5v6M8 2.5v11M11 5v6M12.8 8h1.7",
	video: "M1.5 3.5h9v9h-9zM10.5 7l4-2.5v7l-4-2.5",
	other: "M8 2.5 13.5 8 8 13.5 2.5 8z",
	check: "M2.5 8.5 6 12l7.5-8",
	warning: "M8 2 15 14H1zM8 6.5v3.5M8 12h.1",
	error: "M8 1.5a6.5 6.5 0 1 0 .01 0zM5.5 5.5l5 5M10.5 5.5l-5 5",
	info: "M8 1.5a6.5 6.5 0 1 0 .01 0zM8 7.2v4M8 4.8h.1",
	close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
	left: "M10 3 5 8l5 5",
	right: "M6 3l5 5-5 5",
	down: "M3 6l5 5 5-5",
	up: "M3 10l5-5 5 5",
	copy: "M5.5 5.5h8v9h-8zM10.5 5.5v-4h-8v9h3",
	undo: "M5.5 2.5 2 6l3.5 3.5M2 6h7.5a4 4 0 0 1 0 8H6",
	redo: "M10.5 2.5 14 6l-3.5 3.5M14 6H6.5a4 4 0 0 0 0 8H10",
	plus: "M8 3v10M3 8h10",
	minus: "M3 8h10",
	fit: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
	search: "M7 2a5 5 0 1 0 .01 0zM10.7 10.7l3.8 3.8",
	refresh: "M13.5 8a5.5 5.5 0 1 1-1.6-3.9M13.5 1.8v3.4h-3.4",
	layers: "M8 2 14.5 5.5 8 9 1.5 5.5zM1.5 9 8 12.5 14.5 9",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
	return (
		<svg class="nbannot-icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
			<path d={PATHS[name]} />
		</svg>
	);
}
