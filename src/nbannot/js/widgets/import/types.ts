/** What the import screen is told and what it may do. Knows neither Jupyter nor the DOM. */
import type { Page } from "../../shared/page.ts";
import type { Line } from "../../shared/ui/lines.tsx";
import type { Problem } from "../../shared/ui/notice.tsx";
import type { Progress } from "../../shared/ui/progress.tsx";

export type State =
	| "empty"
	| "detecting"
	| "unrecognised"
	| "reading"
	| "ready"
	| "importing"
	| "done"
	| "error";

/** Traits start as empty objects; they are filled when there is something to tell. */
export type Maybe<T> = Partial<T>;

export type Values = Record<string, unknown>;
export type Columns = Record<string, string>;
/** Source label → project label; "": create it; null: drop it. */
export type Mapping = Record<string, string | null>;

export type Mode = "replace" | "append" | "merge";
export type MediaMode = "link" | "copy";

export interface Place {
	name: string;
	path: string;
}

export interface Entry extends Place {
	kind: "folder" | "archive" | "file";
	size_bytes: number | null;
	files: number | null;
	note: string;
}

export interface Frame {
	name: string;
	kind: string;
	rows: number;
	columns: number;
}

export interface Candidate {
	format: string;
	title: string;
	confidence: number;
	evidence: string[];
	missing: string;
	root: string;
	fixes: Fix[];
}

/** What would mend a lack, if it is accepted. */
export interface Fix {
	text: string;
	options: Record<string, unknown>;
}

export interface FormatField {
	name: string;
	kind: "bool" | "choice" | "text" | "number" | "column";
	default: unknown;
	help: string;
	choices: string[];
	value: unknown;
}

export interface Roles {
	available: { name: string; type: string; sample: string }[];
	roles: { role: string; help: string; column: string; required: boolean; sure: boolean }[];
}

export interface LabelRow {
	name: string;
	color: string;
	count: number;
	action: "exact" | "create" | "map" | "drop";
	to: string;
	suggestion: string;
}

export interface Subset {
	name: string;
	items: number;
	annotations: number;
}

export interface Preview {
	revision: number;
	items: number;
	annotations: number;
	complete: boolean;
	subsets: Subset[];
	media_found: number;
	summary: string;
}

export interface ProblemGroup {
	outcome: string;
	reason: string;
	count: number;
	examples: Line[];
}

export interface Changes {
	adds_items: number;
	adds_annotations: number;
	removes_annotations: number;
	updates_items: number;
	unchanged_items: number;
	tasks: string[];
	text: string;
	warning: string;
}

export interface Report {
	request: number | null;
	read: number;
	imported: number;
	warned: number;
	rejected: number;
	seconds: number;
	tasks: string[];
	undone: boolean;
	text: string;
}

export interface ProjectInfo {
	name: string;
	path: string;
	tasks: {
		id: number;
		name: string;
		items: number;
		jobs: { id: number; name: string; items: number }[];
	}[];
	labels: { name: string; color: string }[];
}

/** What a person chooses: written by the screen, or by Python code. */
export interface Choices {
	location: string;
	filter: string;
	source: string;
	format: string;
	root: string;
	options: Values;
	columns: Columns;
	mapping: Mapping;
	subsets: string[];
	target: string;
	mode: Mode;
	media: MediaMode;
}

/** What Python found out. */
export interface Findings {
	project: Maybe<ProjectInfo>;
	parents: Place[];
	entries: Entry[];
	entries_total: number;
	frames: Frame[];
	candidates: Candidate[];
	fields: FormatField[];
	roles: Maybe<Roles>;
	labels: LabelRow[];
	preview: Maybe<Preview>;
	problems: ProblemGroup[];
	changes: Maybe<Changes>;
	state: State;
	progress: Maybe<Progress>;
	report: Maybe<Report>;
	error: Maybe<Problem>;
	code: string;
}

export type ImportState = Choices & Findings;

export interface PreviewQuery {
	label: string;
	subset: string;
}

/** One upload: chunks travel through `chunk`, which resolves when Python has them. */
export interface UploadTransport {
	begin(files: { path: string; size: number }[], upload?: string): Promise<UploadStarted>;
	/** Rejects with a `NoReplyError` when Python is silent for `timeoutMs`. */
	chunk(
		place: { upload: string; file: number; offset: number },
		bytes: ArrayBuffer,
		timeoutMs: number,
		signal: AbortSignal,
	): Promise<void>;
	end(upload: string): Promise<string>;
	abort(upload: string): void;
}

export interface UploadStarted {
	upload: string;
	chunk_bytes: number;
	window: number;
}

export interface ImportActions {
	choose(values: Partial<Choices>): void;
	/** Choose a source, also the same one once more. */
	open(source: string): void;
	refresh(): void;
	start(): void;
	cancel(): void;
	undo(): void;
	redo(): void;
	reset(): void;
	page(
		query: PreviewQuery,
		start: number,
		count: number,
		sizePx: number,
		signal: AbortSignal,
	): Promise<Page>;
	item(item: string, sizePx: number, signal: AbortSignal): Promise<Page>;
	lines(
		group: ProblemGroup,
		start: number,
		count: number,
	): Promise<{ total: number; lines: Line[] }>;
	complete(text: string): Promise<string[]>;
	upload: UploadTransport;
}
