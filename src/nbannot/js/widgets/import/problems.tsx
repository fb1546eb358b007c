/** What could not be read as it is: grouped by reason, each with the places it happens at. */
import { count, counted } from "../../shared/text.ts";
import { OUTCOMES } from "../../shared/ui/badge.tsx";
import { Disclosure } from "../../shared/ui/disclosure.tsx";
import { Icon } from "../../shared/ui/icon.tsx";
import { Lines, type LoadLines } from "../../shared/ui/lines.tsx";
import type { ProblemGroup } from "./types.ts";

export function Problems({
	problems,
	complete,
	load,
}: {
	problems: ProblemGroup[];
	/** Everything is read: none means none. */
	complete: boolean;
	load: (group: ProblemGroup) => LoadLines;
}) {
	const sum = (groups: ProblemGroup[]) => groups.reduce((all, group) => all + group.count, 0);
	const notes = sum(problems.filter((group) => group.outcome === "note"));
	const real = sum(problems) - notes;
	const title = [real ? counted(real, "problem") : "No problems", notes && counted(notes, "note")];
	if (problems.length === 0 && !complete) return null;
	return (
		<div class="nbannot-problems">
			<h4 class="nbannot-subtitle">{title.filter(Boolean).join(", ")}</h4>
			{problems.length === 0 && <p class="nbannot-muted">Every record was read as it is.</p>}
			{problems.map((group) => {
				const { tone, icon, word } = OUTCOMES[group.outcome] ?? {
					tone: "neutral",
					icon: "info" as const,
					word: group.outcome,
				};
				return (
					<Disclosure
						key={`${group.outcome} ${group.reason}`}
						title={
							<span class={`nbannot-problem nbannot-tone-${tone}`}>
								<Icon name={icon} size={14} />
								<span class="nbannot-problem-reason">{group.reason}</span>
								<span class="nbannot-hidden">{word}</span>
								<span class="nbannot-figures">{count(group.count)}</span>
							</span>
						}
					>
						{() => (
							<Lines
								key={group.count}
								first={group.examples}
								total={group.count}
								load={load(group)}
							/>
						)}
					</Disclosure>
				);
			})}
		</div>
	);
}
