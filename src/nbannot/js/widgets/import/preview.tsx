/** What would be imported, as it would look: counts, items, labels, problems. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Gallery } from "../../shared/gallery/gallery.tsx";
import { count, counted } from "../../shared/text.ts";
import { Badge } from "../../shared/ui/badge.tsx";
import { Select } from "../../shared/ui/field.tsx";
import { Icon } from "../../shared/ui/icon.tsx";
import { ProgressBar } from "../../shared/ui/progress.tsx";
import { Labels } from "./labels.tsx";
import { Problems } from "./problems.tsx";
import { Section } from "./section.tsx";
import type { ImportActions, ImportState, Maybe, Preview as PreviewInfo } from "./types.ts";

const PAGE_SIZE = 24;
/** While Python reads, the counts grow many times a second; the page follows at this pace. */
const PACE_MS = 1500;

export function Preview({ state, actions }: { state: ImportState; actions: ImportActions }) {
	const { preview, labels, problems, mapping, project } = state;
	const [label, setLabel] = useState("");
	const [subset, setSubset] = useState("");
	const [start, setStart] = useState(0);
	const revision = usePaced(preview.revision ?? 0, preview.complete ? 0 : PACE_MS);
	const subsets = preview.subsets ?? [];
	const narrow = (change: { label?: string; subset?: string }) => {
		if (change.label !== undefined) setLabel(change.label);
		if (change.subset !== undefined) setSubset(change.subset);
		setStart(0);
	};
	// Another source or format has other labels and subsets: a filter for one that is gone ends.
	useEffect(() => {
		if (label && labels.length && !labels.some((one) => one.name === label)) narrow({ label: "" });
	}, [labels]);
	useEffect(() => {
		if (subset && !subsets.some((one) => one.name === subset)) narrow({ subset: "" });
	}, [preview]);

	const items = preview.items ?? 0;
	const total = subset ? (subsets.find((one) => one.name === subset)?.items ?? 0) : items;
	const query = { label, subset };
	return (
		<Section
			title="Preview"
			wide
			aside={
				<>
					<Counts preview={preview} labels={labels.length} />
					{/* A new mapping settles within moments: only reading the source itself shows a bar. */}
					{state.state === "reading" && !preview.complete && (
						<ProgressBar name="Reading" progress={state.progress} />
					)}
				</>
			}
		>
			<div class="nbannot-preview">
				<Gallery
					filter={JSON.stringify([state.source, state.format, state.root, query])}
					revision={revision}
					total={total}
					start={start}
					pageSize={PAGE_SIZE}
					label={label}
					onStart={setStart}
					load={(at, size, sizePx, signal) => actions.page(query, at, size, sizePx, signal)}
					loadItem={actions.item}
					heading={
						<div class="nbannot-filters">
							{subsets.length > 1 && (
								<Select
									name="Subset to look at"
									value={subset}
									options={[
										{ value: "", text: "All subsets" },
										...subsets.map(({ name, items: n }) => ({
											value: name,
											text: `${name} (${count(n)})`,
										})),
									]}
									onChange={(next) => narrow({ subset: next })}
								/>
							)}
							{label && (
								<button
									type="button"
									class="nbannot-filter-chip"
									onClick={() => narrow({ label: "" })}
								>
									Only {label} <Icon name="close" size={10} />
									<span class="nbannot-hidden">Show all labels again</span>
								</button>
							)}
						</div>
					}
					empty={label ? `No item has ${label}` : "There are no items in this source"}
					onClear={label || subset ? () => narrow({ label: "", subset: "" }) : undefined}
				/>
				<div class="nbannot-preview-side">
					{labels.length > 0 ? (
						<Labels
							labels={labels}
							targets={(project.labels ?? []).map(({ name }) => name)}
							mapping={mapping}
							filter={label}
							disabled={state.state === "importing"}
							onFilter={(next) => narrow({ label: next })}
							onMapping={(next) => actions.choose({ mapping: next })}
						/>
					) : preview.complete ? (
						<p class="nbannot-muted">No labels in this source.</p>
					) : (
						<SideSkeleton />
					)}
					<Problems
						problems={problems}
						complete={preview.complete ?? false}
						load={(group) => (at, n) => actions.lines(group, at, n)}
					/>
				</div>
			</div>
		</Section>
	);
}

function Counts({ preview, labels }: { preview: Maybe<PreviewInfo>; labels: number }) {
	const { items = 0, annotations = 0, media_found = 0, complete, summary } = preview;
	const missing = items - media_found;
	return (
		<p class="nbannot-counts" aria-busy={!complete}>
			<Figure value={items} one="item" />
			<Figure value={annotations} one="annotation" />
			{labels > 0 && <Figure value={labels} one="label" />}
			{!complete && <span class="nbannot-muted">so far</span>}
			{complete && missing > 0 && media_found > 0 && (
				<Badge tone="warning">{counted(missing, "media file")} not found</Badge>
			)}
			{complete && items > 0 && media_found === 0 && <Badge tone="warning">no media files</Badge>}
			{summary && <span class="nbannot-muted">{summary}</span>}
		</p>
	);
}

function Figure({ value, one }: { value: number; one: string }) {
	return (
		<span>
			<b class="nbannot-figures">{count(value)}</b> {value === 1 ? one : `${one}s`}
		</span>
	);
}

function SideSkeleton() {
	return (
		<div class="nbannot-side-skeleton" aria-hidden="true">
			{[90, 70, 55, 40, 30].map((width) => (
				<span key={width} class="nbannot-skeleton" style={{ width: `${width}%` }} />
			))}
		</div>
	);
}

/** `value`, but changing at most every `paceMs`; 0: at once. */
function usePaced<T>(value: T, paceMs: number): T {
	const [paced, setPaced] = useState(value);
	const last = useRef(0);
	useEffect(() => {
		if (value === paced) return;
		const wait = paceMs && Math.max(last.current + paceMs - performance.now(), 0);
		const timer = setTimeout(() => {
			last.current = performance.now();
			setPaced(value);
		}, wait);
		return () => clearTimeout(timer);
	}, [value, paceMs]);
	return paceMs === 0 ? value : paced;
}
