/** The labels that come, how often, and what becomes of each in the project. */
import { useMemo, useState } from "preact/hooks";
import { safeColor } from "../../shared/color.ts";
import { count, counted } from "../../shared/text.ts";
import { Swatch } from "../../shared/ui/badge.tsx";
import { Button } from "../../shared/ui/button.tsx";
import { Select } from "../../shared/ui/field.tsx";
import { Icon } from "../../shared/ui/icon.tsx";
import type { LabelRow, Mapping } from "./types.ts";

const FIRST = 12;
const STEP = 100;
/** A list of choices per row gets long; beyond this many labels of the project it is cut. */
const MAX_TARGETS = 500;

/** Values of a row's select that are no label: labels have "=" in front. */
const CREATE = "create";
const DROP = "drop";

export function Labels({
	labels,
	targets,
	mapping,
	filter,
	disabled,
	onFilter,
	onMapping,
}: {
	labels: LabelRow[];
	/** Labels of the project. */
	targets: string[];
	mapping: Mapping;
	/** The label that the preview is narrowed to. */
	filter: string;
	disabled: boolean;
	onFilter: (label: string) => void;
	onMapping: (mapping: Mapping) => void;
}) {
	const [limit, setLimit] = useState(FIRST);
	const [search, setSearch] = useState("");
	const most = useMemo(() => Math.max(...labels.map((label) => label.count), 1), [labels]);
	const wanted = search.toLowerCase();
	const found = wanted ? labels.filter(({ name }) => name.toLowerCase().includes(wanted)) : labels;
	const suggested = labels.filter((label) => label.suggestion && !(label.name in mapping));
	const accept = (rows: LabelRow[]) =>
		onMapping({ ...mapping, ...Object.fromEntries(rows.map((row) => [row.name, row.suggestion])) });
	return (
		<div class="nbannot-labels">
			<div class="nbannot-side-head">
				<h4 class="nbannot-subtitle">{counted(labels.length, "label")}</h4>
				{labels.length > FIRST && (
					<label class="nbannot-search">
						<Icon name="search" size={14} />
						<span class="nbannot-hidden">Find a label</span>
						<input
							type="search"
							class="nbannot-input"
							placeholder="Find"
							value={search}
							onInput={(event) => setSearch(event.currentTarget.value)}
						/>
					</label>
				)}
			</div>
			{suggested.length > 1 && (
				<div class="nbannot-suggestions">
					<span>{suggested.length} look like labels that the project has.</span>
					<Button kind="quiet" disabled={disabled} onClick={() => accept(suggested)}>
						Accept all
					</Button>
				</div>
			)}
			<ul class="nbannot-label-rows">
				{found.slice(0, limit).map((label) => (
					<Row
						key={label.name}
						label={label}
						share={label.count / most}
						targets={targets}
						chosen={filter === label.name}
						disabled={disabled}
						onFilter={() => onFilter(filter === label.name ? "" : label.name)}
						onTarget={(to) => onMapping({ ...mapping, [label.name]: to })}
					/>
				))}
			</ul>
			{found.length === 0 && <p class="nbannot-muted">No label has “{search}” in its name.</p>}
			{found.length > limit && (
				<Button kind="quiet" onClick={() => setLimit(limit + STEP)}>
					{`Show more (${count(found.length - limit)})`}
				</Button>
			)}
		</div>
	);
}

function Row({
	label,
	share,
	targets,
	chosen,
	disabled,
	onFilter,
	onTarget,
}: {
	label: LabelRow;
	share: number;
	targets: string[];
	chosen: boolean;
	disabled: boolean;
	onFilter: () => void;
	onTarget: (to: string | null) => void;
}) {
	const { name, action, to, suggestion } = label;
	const value = action === "drop" ? DROP : action === "create" ? CREATE : `=${to || name}`;
	const exists = action === "exact" || targets.includes(name);
	const shown = targets.slice(0, MAX_TARGETS);
	if (action === "map" && !shown.includes(to)) shown.unshift(to);
	return (
		<li class="nbannot-label-row" data-dropped={action === "drop" ? "" : undefined}>
			<button
				type="button"
				class="nbannot-label-name"
				aria-pressed={chosen}
				title={chosen ? "Show all items" : `Show only items with ${name}`}
				onClick={onFilter}
			>
				<span
					class="nbannot-bar"
					style={{
						// The text begins 26 px from the left and ends 8 px from the right.
						width: `calc((100% - 34px) * ${Math.max(share, 0.005).toFixed(3)})`,
						backgroundColor: safeColor(label.color),
					}}
				/>
				<Swatch color={label.color} />
				<span class="nbannot-label-text">{name}</span>
				<span class="nbannot-figures">{count(label.count)}</span>
			</button>
			<Select
				name={`What becomes of ${name}`}
				value={value}
				disabled={disabled}
				options={[
					exists ? { value: `=${name}`, text: "in project" } : { value: CREATE, text: "new label" },
					{ value: DROP, text: "drop" },
					{
						group: "Map to",
						options: shown
							.filter((target) => target !== name)
							.map((target) => ({ value: `=${target}`, text: `→ ${target}` })),
					},
				]}
				onChange={(next) => onTarget(next === DROP ? null : next === CREATE ? "" : next.slice(1))}
			/>
			{suggestion && action === "create" && (
				<button
					type="button"
					class="nbannot-suggestion"
					disabled={disabled}
					onClick={() => onTarget(suggestion)}
				>
					Same as <b>{suggestion}</b>? Map it
				</button>
			)}
		</li>
	);
}
