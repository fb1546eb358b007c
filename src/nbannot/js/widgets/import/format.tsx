/** Which format it is: ranked, with the evidence for each and what speaks against the others. */
import type { ComponentChildren } from "preact";
import { Disclosure } from "../../shared/ui/disclosure.tsx";
import { Radio } from "../../shared/ui/field.tsx";
import { useUid } from "../../shared/ui/id.ts";
import { Notice, type Problem } from "../../shared/ui/notice.tsx";
import { Section } from "./section.tsx";
import type { Candidate } from "./types.ts";

export interface FormatProps {
	candidates: Candidate[];
	format: string;
	root: string;
	/** No format fits: why, as far as Python says so. */
	unrecognised: Problem | null;
	disabled: boolean;
	onChoose: (format: string, root: string) => void;
	/** Options of the chosen format. */
	children?: ComponentChildren;
}

export function Format(props: FormatProps) {
	const { candidates, format, root, unrecognised, children } = props;
	const group = useUid();
	const possible = candidates.filter((one) => !one.missing);
	const others = candidates.filter((one) => one.missing);
	const isChosen = (one: Candidate) => one.format === format && (one.root ?? "") === root;
	/** One that was chosen against the evidence belongs to what is in use. */
	const forced = others.filter(isChosen);
	const row = (one: Candidate) => (
		<FormatRow
			key={`${one.format} ${one.root}`}
			candidate={one}
			group={group}
			checked={isChosen(one)}
			disabled={props.disabled}
			onChoose={() => props.onChoose(one.format, one.root ?? "")}
		/>
	);
	return (
		<Section title="Format">
			{unrecognised && (
				<Notice kind="warning" title="No format fits what is here">
					{unrecognised.where && <p class="nbannot-where">{unrecognised.where}</p>}
					<p>
						Each needs something that was not found. Choose another source, or a format to read it
						with anyway.
					</p>
				</Notice>
			)}
			<div class="nbannot-formats" role="radiogroup" aria-label="Format">
				{possible.map(row)}
				{forced.map(row)}
				{unrecognised ? (
					<div class="nbannot-formats-others">{others.map(row)}</div>
				) : (
					others.length > forced.length && (
						<Disclosure title={`Other formats, and why not (${others.length - forced.length})`}>
							{() => (
								<div class="nbannot-formats-others">
									{others.filter((one) => !isChosen(one)).map(row)}
								</div>
							)}
						</Disclosure>
					)
				)}
			</div>
			{children}
		</Section>
	);
}

function FormatRow({
	candidate,
	group,
	checked,
	disabled,
	onChoose,
}: {
	candidate: Candidate;
	group: string;
	checked: boolean;
	disabled: boolean;
	onChoose: () => void;
}) {
	const { title, evidence, missing, root } = candidate;
	return (
		<Radio
			group={group}
			checked={checked}
			disabled={disabled}
			onChoose={onChoose}
			name={
				<>
					{title}
					{root && <span class="nbannot-muted"> in {root}</span>}
				</>
			}
		>
			{missing ? (
				<span class="nbannot-evidence">{missing}</span>
			) : (
				evidence.length > 0 && <span class="nbannot-evidence">{evidence.join(" · ")}</span>
			)}
		</Radio>
	);
}
