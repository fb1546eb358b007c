/** The project widget: the only file of it that knows Jupyter's model. */
import type { RenderProps } from "@anywidget/types";
import { render as mount } from "preact";
import "../../shared/theme.css";
import "../../shared/ui.css";
import "../../shared/gallery.css";
import "./project.css";
import { keepKeys } from "../../shared/host.ts";
import { type Traits, traits, write } from "../../shared/model.ts";
import { decodePage, type PageHeader } from "../../shared/page.ts";
import { type Call, caller } from "../../shared/rpc.ts";
import type { Line } from "../../shared/ui/lines.tsx";
import { ProjectScreen } from "./screen.tsx";
import type { ProjectActions, ProjectState, Summary } from "./types.ts";

/** Traits of `nbannot.ProjectWidget`. */
type Model = {
	task: string;
	label: string;
	layer: string;
	start: number;
	page_size: number;
	summary: Partial<Summary>;
	total: number;
	revision: number;
	can_undo: boolean;
	can_redo: boolean;
};

/** Every trait once; `satisfies` keeps it complete. */
const NAMES = Object.keys({
	task: 0,
	label: 0,
	layer: 0,
	start: 0,
	page_size: 0,
	summary: 0,
	total: 0,
	revision: 0,
	can_undo: 0,
	can_redo: 0,
} satisfies Record<keyof Model, 0>) as (keyof Model)[];

function Root({ state, actions }: { state: Traits<Model>; actions: ProjectActions }) {
	const values = Object.fromEntries(NAMES.map((name) => [name, state[name].value]));
	return <ProjectScreen state={values as unknown as ProjectState} actions={actions} />;
}

function makeActions(model: RenderProps<Model>["model"], call: Call): ProjectActions {
	const page = async (name: string, params: object, signal: AbortSignal) => {
		const { result, buffers } = await call<PageHeader>(name, params, { signal });
		return decodePage(result, buffers);
	};
	return {
		filter: (filter) => write<Model>(model, { ...filter, start: 0 }),
		goTo: (start) => write<Model>(model, { start }),
		page: (filter, start, count, size_px, signal) =>
			page("page", { ...filter, start, count, size_px }, signal),
		item: (item, size_px, signal) => page("item", { item, size_px }, signal),
		undo: async () => void (await call("undo", {}, { outlives: true })),
		redo: async () => void (await call("redo", {}, { outlives: true })),
		lines: async (request, outcome, start, count) => {
			const params = { request, outcome, reason: "", start, count };
			return (await call<{ total: number; lines: Line[] }>("lines", params)).result;
		},
	};
}

function render({ model, el, signal: lifetime }: RenderProps<Model>) {
	keepKeys(el, lifetime);
	const state = traits<Model>(model, NAMES, lifetime);
	mount(<Root state={state} actions={makeActions(model, caller(model, lifetime))} />, el);
	lifetime.addEventListener("abort", () => mount(null, el));
}

export default { render };
