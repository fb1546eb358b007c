/** What the gallery of a project is told and what it may do. */
import type { Page } from "../../shared/page.ts";
import type { Line } from "../../shared/ui/lines.tsx";

export interface Summary {
	name: string;
	path: string;
	items: number;
	annotations: number;
	tasks: { id: number; name: string; items: number; annotations: number }[];
	labels: { name: string; color: string; count: number; items: number }[];
	layers: { name: string; kind: string; count: number }[];
	requests: HistoryEntry[];
}

export interface HistoryEntry {
	id: number;
	title: string;
	when: string;
	/** What it added, in words or as a count of annotations. */
	added: string | number;
	undone: boolean;
	read: number;
	imported: number;
	warned: number;
	rejected: number;
}

export interface Filter {
	task: string;
	label: string;
	layer: string;
}

export interface ProjectState extends Filter {
	start: number;
	page_size: number;
	summary: Partial<Summary>;
	total: number;
	revision: number;
	can_undo: boolean;
	can_redo: boolean;
}

export interface ProjectActions {
	/** Narrowing the items starts again at the first one. */
	filter(filter: Partial<Filter>): void;
	goTo(start: number): void;
	page(
		filter: Filter,
		start: number,
		count: number,
		sizePx: number,
		signal: AbortSignal,
	): Promise<Page>;
	item(item: string, sizePx: number, signal: AbortSignal): Promise<Page>;
	undo(): Promise<void>;
	redo(): Promise<void>;
	lines(
		request: number,
		outcome: string,
		start: number,
		count: number,
	): Promise<{ total: number; lines: Line[] }>;
}
