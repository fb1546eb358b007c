/** The gallery of a project: what is in it, narrowed by task, label and layer, and its history. */
import { Gallery } from "../../shared/gallery/gallery.tsx";
import { count } from "../../shared/text.ts";
import { Select } from "../../shared/ui/field.tsx";
import { Notice } from "../../shared/ui/notice.tsx";
import { History } from "./history.tsx";
import type { Filter, ProjectActions, ProjectState } from "./types.ts";

export function ProjectScreen({
	state,
	actions,
}: {
	state: ProjectState;
	actions: ProjectActions;
}) {
	const { summary, task, label, layer, revision, total, start, page_size } = state;
	const { name = "", path = "", items = 0, annotations = 0, labels = [], requests = [] } = summary;
	const filter: Filter = { task, label, layer };
	const narrowed = task !== "" || label !== "" || layer !== "";
	return (
		<div class="nbannot nbannot-project">
			<header class="nbannot-head">
				<h2>{name || "Project"}</h2>
				<p class="nbannot-counts">
					<span>
						<b class="nbannot-figures">{count(items)}</b> {items === 1 ? "item" : "items"}
					</span>
					<span>
						<b class="nbannot-figures">{count(annotations)}</b>{" "}
						{annotations === 1 ? "annotation" : "annotations"}
					</span>
					<span>
						<b class="nbannot-figures">{count(labels.length)}</b>{" "}
						{labels.length === 1 ? "label" : "labels"}
					</span>
				</p>
				{path && (
					<span class="nbannot-muted nbannot-head-path" title={path}>
						{path}
					</span>
				)}
			</header>
			<div class="nbannot-project-body">
				{items === 0 && !narrowed ? (
					<div class="nbannot-project-empty">
						<Notice kind="empty" title="Nothing is in this project yet">
							<p>
								Import with <code>nbannot.ImportWidget(project)</code>, or{" "}
								<code>project.import_dataset("folder/")</code>.
							</p>
						</Notice>
					</div>
				) : (
					<Gallery
						filter={JSON.stringify(filter)}
						revision={revision}
						total={total}
						start={start}
						pageSize={page_size}
						label={label}
						onStart={actions.goTo}
						load={(at, size, sizePx, signal) => actions.page(filter, at, size, sizePx, signal)}
						loadItem={actions.item}
						heading={<Filters summary={summary} filter={filter} onFilter={actions.filter} />}
						empty="No item fits these filters"
						onClear={
							narrowed ? () => actions.filter({ task: "", label: "", layer: "" }) : undefined
						}
					/>
				)}
			</div>
			<footer class="nbannot-project-foot">
				<History
					requests={requests}
					canUndo={state.can_undo}
					canRedo={state.can_redo}
					actions={actions}
				/>
			</footer>
		</div>
	);
}

function Filters({
	summary,
	filter,
	onFilter,
}: {
	summary: ProjectState["summary"];
	filter: Filter;
	onFilter: (filter: Partial<Filter>) => void;
}) {
	const { tasks = [], labels = [], layers = [] } = summary;
	const pick = (
		key: keyof Filter,
		name: string,
		all: string,
		found: { name: string; text: string }[],
	) => (
		<Select
			name={name}
			value={filter[key]}
			options={[
				{ value: "", text: all },
				...found.map((one) => ({ value: one.name, text: one.text })),
			]}
			onChange={(next) => onFilter({ [key]: next })}
		/>
	);
	return (
		<div class="nbannot-filters">
			{tasks.length > 1 &&
				pick(
					"task",
					"Task",
					"All tasks",
					tasks.map((task) => ({ name: task.name, text: `${task.name} (${count(task.items)})` })),
				)}
			{labels.length > 0 &&
				pick(
					"label",
					"Label",
					"All labels",
					labels.map((label) => ({
						name: label.name,
						text: `${label.name} (${count(label.count)})`,
					})),
				)}
			{layers.length > 1 &&
				pick(
					"layer",
					"Layer",
					"All layers",
					layers.map((layer) => ({
						name: layer.name,
						text: `${layer.name} (${count(layer.count)})`,
					})),
				)}
		</div>
	);
}
