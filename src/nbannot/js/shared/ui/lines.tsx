/** Lines of the ledger: which record, in which file, where in it, and what about it. */
import { useEffect, useState } from "preact/hooks";
import { count } from "../text.ts";
import { Button } from "./button.tsx";
import { asProblem, ErrorNotice, type Problem } from "./notice.tsx";

export interface Line {
	file: string | null;
	where: string | null;
	record: string | number | null;
	item: string | number | null;
	message: string | null;
}

export type LoadLines = (start: number, count: number) => Promise<{ total: number; lines: Line[] }>;

const MORE = 50;

/** The `first` lines are at hand; `load` fetches more of the `total`, some of them `atOnce`. */
export function Lines({
	first,
	total,
	load,
	atOnce = false,
}: {
	first: Line[];
	total: number;
	load: LoadLines;
	atOnce?: boolean;
}) {
	const [lines, setLines] = useState(first);
	const [busy, setBusy] = useState(false);
	const [problem, setProblem] = useState<Problem | null>(null);
	const left = total - lines.length;
	const more = async () => {
		setBusy(true);
		try {
			const found = await load(lines.length, MORE);
			setLines([...lines, ...found.lines]);
			setProblem(null);
		} catch (error) {
			setProblem(asProblem(error));
		}
		setBusy(false);
	};
	useEffect(() => {
		if (atOnce) void more();
	}, []);
	return (
		<>
			<ul class="nbannot-lines">
				{lines.map((line, i) => (
					<li key={i}>
						<span class="nbannot-line-message">{line.message}</span>
						<span class="nbannot-where">
							{[line.file, line.where].filter((part) => part !== null && part !== "").join(" › ")}
						</span>
					</li>
				))}
			</ul>
			{problem && <ErrorNotice problem={problem} />}
			{left > 0 && (
				<Button kind="quiet" disabled={busy} onClick={more}>
					{`Show ${count(Math.min(left, MORE))} more of ${count(left)}`}
				</Button>
			)}
		</>
	);
}
