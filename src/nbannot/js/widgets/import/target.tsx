/** Where it goes: new tasks or one that is there, how, and what that changes, in words and code. */
import { count, counted } from "../../shared/text.ts";
import { CopyButton } from "../../shared/ui/button.tsx";
import { Check, Radio, Select } from "../../shared/ui/field.tsx";
import { useUid } from "../../shared/ui/id.ts";
import { Notice } from "../../shared/ui/notice.tsx";
import { Section } from "./section.tsx";
import type { Choices, ImportState, MediaMode, Mode, ProjectInfo, Subset } from "./types.ts";

const MODES: { mode: Mode; name: string; help: string }[] = [
	{
		mode: "replace",
		name: "Replace",
		help: "what the items have now; Undo brings it back",
	},
	{ mode: "append", name: "Append", help: "to what the items have, twins and all" },
	{ mode: "merge", name: "Merge", help: "add only what the items do not have yet" },
];

const MEDIA: { media: MediaMode; name: string; help: string }[] = [
	{ media: "link", name: "Link", help: "files stay where they are" },
	{ media: "copy", name: "Copy", help: "files into the project, each once" },
];

export function Target({
	state,
	disabled,
	onChoose,
}: {
	state: ImportState;
	disabled: boolean;
	onChoose: (values: Partial<Choices>) => void;
}) {
	const { target, mode, media, changes, project, preview, subsets } = state;
	const groups = [useUid(), useUid(), useUid()];
	const tasks = project.tasks ?? [];
	const found = preview.subsets ?? [];
	const isNew = target === "new";
	const into = tasks[0] && `task:${tasks[0].id}`;
	return (
		<Section title="Into">
			<div class="nbannot-target">
				<fieldset class="nbannot-choices">
					<legend class="nbannot-legend">Task</legend>
					<Radio
						group={groups[0] as string}
						checked={isNew}
						disabled={disabled}
						onChoose={() => onChoose({ target: "new" })}
						name={found.length > 1 ? "New tasks, one per subset" : "A new task"}
					>
						{isNew && (changes.tasks?.length ?? 0) > 0 && found.length <= 1 && (
							<span class="nbannot-evidence">{changes.tasks?.join(", ")}</span>
						)}
					</Radio>
					{tasks.length > 0 && into && (
						<div class="nbannot-into">
							<Radio
								group={groups[0] as string}
								checked={!isNew}
								disabled={disabled}
								onChoose={() => onChoose({ target: into })}
								name="An existing task"
							>
								<span class="nbannot-evidence">
									annotations for its items, matched by path; no new items
								</span>
							</Radio>
							{!isNew && (
								<Select
									name="Task or job"
									value={target}
									options={targetOptions(tasks)}
									disabled={disabled}
									onChange={(next) => onChoose({ target: next })}
								/>
							)}
						</div>
					)}
				</fieldset>
				{found.length > 1 && (
					<Subsets
						found={found}
						chosen={subsets}
						disabled={disabled}
						onSubsets={(next) => onChoose({ subsets: next })}
					/>
				)}
				{isNew ? (
					<fieldset class="nbannot-choices">
						<legend class="nbannot-legend">Media files</legend>
						{MEDIA.map((one) => (
							<Radio
								key={one.media}
								group={groups[1] as string}
								checked={media === one.media}
								disabled={disabled}
								onChoose={() => onChoose({ media: one.media })}
								name={one.name}
							>
								<span class="nbannot-evidence">{one.help}</span>
							</Radio>
						))}
					</fieldset>
				) : (
					<fieldset class="nbannot-choices">
						<legend class="nbannot-legend">Annotations</legend>
						{MODES.map((one) => (
							<Radio
								key={one.mode}
								group={groups[2] as string}
								checked={mode === one.mode}
								disabled={disabled}
								onChoose={() => onChoose({ mode: one.mode })}
								name={one.name}
							>
								<span class="nbannot-evidence">{one.help}</span>
							</Radio>
						))}
					</fieldset>
				)}
			</div>
			{changes.warning && <Notice kind="warning" title={changes.warning} />}
		</Section>
	);
}

function Subsets({
	found,
	chosen,
	disabled,
	onSubsets,
}: {
	found: Subset[];
	/** Empty: all of them. */
	chosen: string[];
	disabled: boolean;
	onSubsets: (subsets: string[]) => void;
}) {
	const isIn = (name: string) => chosen.length === 0 || chosen.includes(name);
	const toggle = (name: string, wanted: boolean) => {
		const next = found.map((one) => one.name).filter((one) => (one === name ? wanted : isIn(one)));
		// None would mean all: the last one stays.
		if (next.length > 0) onSubsets(next.length === found.length ? [] : next);
	};
	const last = found.filter((one) => isIn(one.name)).length === 1;
	return (
		<fieldset class="nbannot-choices">
			<legend class="nbannot-legend">Subsets</legend>
			<div class="nbannot-subsets">
				{found.map(({ name, items, annotations }) => (
					<Check
						key={name}
						checked={isIn(name)}
						disabled={disabled || (last && isIn(name))}
						onChange={(wanted) => toggle(name, wanted)}
					>
						{name}{" "}
						<span class="nbannot-muted nbannot-figures">
							{counted(items, "item")}, {counted(annotations, "annotation")}
						</span>
					</Check>
				))}
			</div>
		</fieldset>
	);
}

function targetOptions(tasks: ProjectInfo["tasks"]) {
	return tasks.flatMap((task) => [
		{ value: `task:${task.id}`, text: `${task.name} (${counted(task.items, "item")})` },
		// A task of one job is that job.
		...(task.jobs.length > 1
			? task.jobs.map((job) => ({
					value: `job:${job.id}`,
					text: `\u2003${job.name} (${count(job.items)})`,
				}))
			: []),
	]);
}

/** The Python that does the same. */
export function Code({ code }: { code: string }) {
	if (!code) return null;
	return (
		<div class="nbannot-code">
			{/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
			<section class="nbannot-code-text" tabIndex={0} aria-label="The Python that does the same">
				<pre>
					<code>{code}</code>
				</pre>
			</section>
			<CopyButton text={code} name="Copy code" />
		</div>
	);
}
