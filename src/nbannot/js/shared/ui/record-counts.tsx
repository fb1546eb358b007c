import { count } from "../text.ts";

/** read = imported + with a warning + not imported: it always adds up, and shows that it does. */
export function RecordCounts({
	report,
}: {
	report: { read?: number; imported?: number; warned?: number; rejected?: number };
}) {
	const { read = 0, imported = 0, warned = 0, rejected = 0 } = report;
	const rows = [
		{ name: "read", value: read, tone: "" },
		{ name: "imported", value: imported, tone: "good" },
		{ name: "with a warning", value: warned, tone: warned ? "warning" : "" },
		{ name: "not imported", value: rejected, tone: rejected ? "bad" : "" },
	];
	return (
		<ul class="nbannot-record-counts">
			{rows.map(({ name, value, tone }, i) => (
				<li key={name} class={tone && `nbannot-tone-${tone}`}>
					<span class="nbannot-figures">
						{i > 0 && <span class="nbannot-muted">{i === 1 ? "= " : "+ "}</span>}
						<b>{count(value)}</b>
					</span>{" "}
					{name}
				</li>
			))}
		</ul>
	);
}
