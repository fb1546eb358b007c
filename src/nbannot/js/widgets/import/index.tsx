/** The import widget: the only file of it that knows Jupyter's model. */
import type { RenderProps } from "@anywidget/types";
import { type Signal, signal } from "@preact/signals";
import { render as mount } from "preact";
import "../../shared/theme.css";
import "../../shared/ui.css";
import "../../shared/gallery.css";
import "./import.css";
import { keepKeys } from "../../shared/host.ts";
import { type Traits, traits, write } from "../../shared/model.ts";
import { decodePage, type PageHeader } from "../../shared/page.ts";
import { type Call, caller } from "../../shared/rpc.ts";
import type { Line } from "../../shared/ui/lines.tsx";
import { asProblem, type Problem } from "../../shared/ui/notice.tsx";
import type { Progress } from "../../shared/ui/progress.tsx";
import { ImportScreen } from "./screen.tsx";
import type * as t from "./types.ts";

/** Traits of `nbannot.ImportWidget`. */
type Model = {
	location: string;
	filter: string;
	source: string;
	format: string;
	root: string;
	options: t.Values;
	columns: t.Columns;
	mapping: t.Mapping;
	subsets: string[];
	target: string;
	mode: t.Mode;
	media: t.MediaMode;
	project: t.Maybe<t.ProjectInfo>;
	parents: t.Place[];
	entries: t.Entry[];
	entries_total: number;
	frames: t.Frame[];
	candidates: t.Candidate[];
	fields: t.FormatField[];
	roles: t.Maybe<t.Roles>;
	labels: t.LabelRow[];
	preview: t.Maybe<t.Preview>;
	problems: t.ProblemGroup[];
	changes: t.Maybe<t.Changes>;
	state: t.State;
	progress: t.Maybe<Progress>;
	report: t.Maybe<t.Report>;
	error: t.Maybe<Problem>;
	code: string;
};

/** Every trait once; `satisfies` keeps it complete. */
const NAMES = Object.keys({
	location: 0,
	filter: 0,
	source: 0,
	format: 0,
	root: 0,
	options: 0,
	columns: 0,
	mapping: 0,
	subsets: 0,
	target: 0,
	mode: 0,
	media: 0,
	project: 0,
	parents: 0,
	entries: 0,
	entries_total: 0,
	frames: 0,
	candidates: 0,
	fields: 0,
	roles: 0,
	labels: 0,
	preview: 0,
	problems: 0,
	changes: 0,
	state: 0,
	progress: 0,
	report: 0,
	error: 0,
	code: 0,
} satisfies Record<keyof Model, 0>) as (keyof Model)[];

function Root({
	state,
	actions,
	failed,
}: {
	state: Traits<Model>;
	actions: t.ImportActions;
	failed: Signal<Problem | null>;
}) {
	const values = Object.fromEntries(NAMES.map((name) => [name, state[name].value]));
	return (
		<ImportScreen
			state={values as unknown as t.ImportState}
			actions={actions}
			failed={failed.value}
		/>
	);
}

function makeActions(
	model: RenderProps<Model>["model"],
	call: Call,
	failed: Signal<Problem | null>,
): t.ImportActions {
	const choose = (values: Partial<t.Choices>) => {
		failed.value = null;
		write<Model>(model, values);
	};
	/** A command with nothing to show for it but what the traits say. */
	const command = (name: string) => () => {
		failed.value = null;
		call(name, {}, { outlives: true }).catch((error: unknown) => {
			if ((error as Error).name !== "AbortError") failed.value = asProblem(error);
		});
	};
	const page = async (name: string, params: object, signal: AbortSignal) => {
		const { result, buffers } = await call<PageHeader>(name, params, { signal });
		return decodePage(result, buffers);
	};
	return {
		choose,
		open(source) {
			// Setting what is set already changes nothing: so first to nothing, then back.
			if (model.get("source") === source) choose({ source: "" });
			choose({ source });
		},
		refresh: command("refresh"),
		start: command("start"),
		cancel: command("cancel"),
		undo: command("undo"),
		redo: command("redo"),
		reset: command("reset"),
		page: ({ label, subset }, start, count, size_px, signal) =>
			page("page", { start, count, size_px, label, subset }, signal),
		item: (item, size_px, signal) => page("item", { item, size_px }, signal),
		lines: async ({ outcome, reason }, start, count) => {
			const params = { outcome, reason, start, count };
			return (await call<{ total: number; lines: Line[] }>("lines", params)).result;
		},
		complete: async (text) =>
			(await call<{ paths: string[] }>("complete_path", { text })).result.paths,
		upload: {
			begin: async (files, upload) => {
				const params = upload === undefined ? { files } : { files, upload };
				return (await call<t.UploadStarted>("upload_begin", params)).result;
			},
			chunk: async (place, bytes, timeoutMs, signal) => {
				await call("upload_chunk", place, { buffers: [bytes], signal, timeoutMs });
			},
			end: async (upload) =>
				(await call<{ source: string }>("upload_end", { upload })).result.source,
			abort: (upload) => void call("upload_abort", { upload }).catch(() => undefined),
		},
	};
}

function render({ model, el, signal: lifetime }: RenderProps<Model>) {
	const failed = signal<Problem | null>(null);
	keepKeys(el, lifetime);
	const state = traits<Model>(model, NAMES, lifetime);
	const actions = makeActions(model, caller(model, lifetime), failed);
	mount(<Root state={state} actions={actions} failed={failed} />, el);
	lifetime.addEventListener("abort", () => mount(null, el));
}

export default { render };
