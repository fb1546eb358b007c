/** The annotations of the enlarged item, in words; pointing at one brings it out in the picture. */
import { useEffect, useState } from "preact/hooks";
import { moved } from "../keys.ts";
import { type AnnotationRow, labelOf, type Page, typeOf } from "../page.ts";
import { count, counted } from "../text.ts";
import { Badge, Swatch } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";

const STEP = 100;

export function AnnotationList({
	page,
	index,
	active,
	onActive,
}: {
	page: Page;
	index: number;
	active: number | null;
	onActive: (annotation: number | null) => void;
}) {
	const item = page.items[index] as Page["items"][number];
	const [limit, setLimit] = useState(STEP);
	const [reachable, setReachable] = useState(0);
	useEffect(() => {
		setLimit(STEP);
		setReachable(0);
	}, [item.item]);
	const rows = rowsOf(page, index);
	const shown = rows.slice(0, limit);
	const onKeyDown = (event: KeyboardEvent) => {
		const to = moved(event.key, reachable, shown.length);
		if (to === null) return;
		event.preventDefault();
		const list = event.currentTarget as HTMLElement;
		list.querySelectorAll<HTMLElement>("button.nbannot-annotation")[to]?.focus();
	};
	return (
		<div class="nbannot-side">
			<h3 class="nbannot-side-title">{counted(rows.length, "annotation")}</h3>
			<ul class="nbannot-annotations" aria-label="Annotations" onKeyDown={onKeyDown}>
				{shown.map((row, i) => (
					<li key={row.index}>
						<button
							type="button"
							class="nbannot-annotation"
							data-active={row.index === active ? "" : undefined}
							tabIndex={i === Math.min(reachable, shown.length - 1) ? 0 : -1}
							onFocus={() => {
								setReachable(i);
								onActive(row.index);
							}}
							onBlur={() => onActive(null)}
							onPointerEnter={() => onActive(row.index)}
							onPointerLeave={() => onActive(null)}
							onClick={() => onActive(row.index)}
						>
							<Swatch color={labelOf(page, row.index)?.color ?? ""} />
							<span class="nbannot-annotation-label">{row.label || "no label"}</span>
							<span class="nbannot-muted">{row.type.replace("_", " ")}</span>
							<Layer page={page} annotation={row.index} />
							{row.text && <span class="nbannot-annotation-text">{row.text}</span>}
							<Attributes
								// The score has its own place above.
								values={row.attributes.filter(([key]) => key !== "score")}
							/>
						</button>
					</li>
				))}
			</ul>
			{rows.length > limit && (
				<Button kind="quiet" onClick={() => setLimit(limit + STEP)}>
					{`Show more (${count(rows.length - limit)})`}
				</Button>
			)}
			<Details page={page} index={index} />
		</div>
	);
}

function Layer({ page, annotation }: { page: Page; annotation: number }) {
	const layer = page.layer[annotation] ?? 0;
	const score = page.score[annotation] as number;
	return (
		<>
			{Number.isFinite(score) && <span class="nbannot-figures">{score.toFixed(2)}</span>}
			{layer > 0 && <Badge>{page.layers[layer] ?? "prediction"}</Badge>}
		</>
	);
}

function Attributes({ values }: { values: AnnotationRow["attributes"] }) {
	if (values.length === 0) return null;
	const text = values.map(([key, value]) => `${key}: ${value}`).join(", ");
	return <span class="nbannot-annotation-text nbannot-muted">{text}</span>;
}

function Details({ page, index }: { page: Page; index: number }) {
	const { width, height, kind, task, note, details } = page.items[index] as Page["items"][number];
	const known: [string, string][] = [
		["Kind", kind],
		["Size", width && height ? `${count(width)} × ${count(height)}` : ""],
		["Task", task],
		["Note", note],
	];
	const listed = [...known.filter(([, value]) => value), ...(details ?? [])];
	if (listed.length === 0) return null;
	return (
		<ul class="nbannot-details" aria-label="Details">
			{listed.map(([key, value], i) => (
				<li key={i}>
					<span class="nbannot-muted">{key}</span>
					<span>{value}</span>
				</li>
			))}
		</ul>
	);
}

function rowsOf(page: Page, index: number): AnnotationRow[] {
	if (page.rows) return page.rows;
	return [...page.annotationsOf(index)].map((a) => ({
		index: a,
		label: labelOf(page, a)?.name ?? "",
		type: typeOf(page, a) ?? "",
		text: page.texts[a] ?? "",
		attributes: [],
	}));
}
