/** Which format it is: ranked, with the evidence for each and what speaks against the others. */
import type { ComponentChildren } from "preact";
import { Button } from "../../shared/ui/button.tsx";
import { Disclosure } from "../../shared/ui/disclosure.tsx";
import { Radio } from "../../shared/ui/field.tsx";
import { useUid } from "../../shared/ui/id.ts";
import { Notice, type Problem } from "../../shared/ui/notice.tsx";
import { Section } from "./section.tsx";
import type { Candidate, Fix } from "./types.ts";

/** How many formats that nearly fit are shown at once. */
const NEAR = 6;

export interface FormatProps {
	candidates: Candidate[];
	format: string;
	root: string;
	/** Options that are set; a fix whose options are set was accepted. */
	options: Record<string, unknown>;
	/** No format fits: why, as far as Python says so. */
	unrecognised: Problem | null;
	disabled: boolean;
	onChoose: (format: string, root: string) => void;
	onFix: (fix: Fix) => void;
	/** Options of the chosen format. */
	children?: ComponentChildren;
}

export function Format(props: FormatProps) {
	const { candidates, format, root, unrecognised, children } = props;
	const group = useUid();
	const isChosen = (one: Candidate) => one.format === format && (one.root ?? "") === root;
	const possible = candidates.filter((one) => !one.missing);
	/** Recognised by name, and not read: nothing that could be chosen. */
	const known = candidates.filter((one) => !one.format);
	const others = candidates.filter((one) => one.missing && one.format);
	/** Those that found something of theirs come first, so Python ranks them. */
	const near = unrecognised ? others.slice(0, NEAR) : [];
	const far = others.filter((one) => !near.includes(one) && !isChosen(one));
	const fixes = (candidates.find(isChosen)?.fixes ?? []).filter(
		(fix) => !Object.keys(fix.options).every((name) => name in props.options),
	);
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
				<Notice
					kind="warning"
					title={known[0] ? `This looks like ${known[0].title}` : "No format fits what is here"}
				>
					{unrecognised.where && <p class="nbannot-where">{unrecognised.where}</p>}
					{known[0] && (
						<p>
							{known[0].evidence.join(" · ")}. {known[0].missing}.
						</p>
					)}
					<p>
						{known[0] ? "" : "Each format needs something that was not found. "}Choose another
						source, or a format to read it with anyway.
					</p>
				</Notice>
			)}
			<div class="nbannot-formats" role="radiogroup" aria-label="Format">
				{possible.map(row)}
				{forced.map(row)}
				{near.length > 0 && <div class="nbannot-formats-others">{near.map(row)}</div>}
				{far.length > 0 && (
					<Disclosure title={`Other formats, and why not (${far.length})`}>
						{() => <div class="nbannot-formats-others">{far.map(row)}</div>}
					</Disclosure>
				)}
			</div>
			{fixes.map((fix) => (
				<p class="nbannot-fix" key={fix.text}>
					<span>{fix.text}.</span>
					<Button disabled={props.disabled} onClick={() => props.onFix(fix)}>
						Accept
					</Button>
				</p>
			))}
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
