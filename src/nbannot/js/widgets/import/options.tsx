/** Options of the chosen format, and the roles of a table's columns. */
import type { TargetedKeyboardEvent } from "preact";
import { Badge } from "../../shared/ui/badge.tsx";
import { Button } from "../../shared/ui/button.tsx";
import { Disclosure } from "../../shared/ui/disclosure.tsx";
import { Check, Field, Select } from "../../shared/ui/field.tsx";
import type { Columns, FormatField, Maybe, Roles, Values } from "./types.ts";

export function Options({
	fields,
	options,
	columns,
	disabled,
	onOptions,
}: {
	fields: FormatField[];
	options: Values;
	/** Names of the columns that an option of kind "column" chooses from. */
	columns: string[];
	disabled: boolean;
	onOptions: (options: Values) => void;
}) {
	if (fields.length === 0) return null;
	const changed = Object.keys(options).length;
	const set = (field: FormatField, value: unknown) => {
		const { [field.name]: _, ...others } = options;
		onOptions(value === field.default ? others : { ...others, [field.name]: value });
	};
	return (
		<Disclosure
			title={<>Options {changed > 0 && <Badge tone="info">{`${changed} changed`}</Badge>}</>}
			open={changed > 0}
		>
			{() => (
				<div class="nbannot-fields">
					{fields.map((field) => (
						<OptionField
							key={field.name}
							field={field}
							value={field.name in options ? options[field.name] : field.value}
							columns={columns}
							disabled={disabled}
							onValue={(value) => set(field, value)}
						/>
					))}
					{changed > 0 && (
						<Button kind="quiet" icon="undo" disabled={disabled} onClick={() => onOptions({})}>
							Back to the defaults
						</Button>
					)}
				</div>
			)}
		</Disclosure>
	);
}

function OptionField({
	field,
	value,
	columns,
	disabled,
	onValue,
}: {
	field: FormatField;
	value: unknown;
	columns: string[];
	disabled: boolean;
	onValue: (value: unknown) => void;
}) {
	const { name, kind, help, choices } = field;
	const label = name.replace(/_/g, " ");
	return (
		<Field label={label} help={help}>
			{(ids) => {
				if (kind === "bool") {
					return <Check {...ids} checked={value === true} disabled={disabled} onChange={onValue} />;
				}
				if (kind === "choice" || kind === "column") {
					const names = kind === "column" && choices.length === 0 ? columns : choices;
					const none = kind === "column" || !names.includes(String(value ?? ""));
					return (
						<Select
							{...ids}
							disabled={disabled}
							value={String(value ?? "")}
							options={[
								...(none ? [{ value: "", text: "–" }] : []),
								...names.map((choice) => ({ value: choice, text: choice })),
							]}
							onChange={onValue}
						/>
					);
				}
				const shared = {
					id: ids.id,
					"aria-describedby": ids.helpId,
					disabled,
					class: "nbannot-input",
					// JupyterLab keeps Enter from the field, and with it the change: leaving makes one.
					onKeyDown: (event: TargetedKeyboardEvent<HTMLInputElement>) => {
						if (event.key === "Enter") event.currentTarget.blur();
					},
				};
				const text = value === null || value === undefined ? "" : String(value);
				if (kind === "text") {
					return (
						<input
							{...shared}
							type="text"
							value={text}
							onChange={(event) => onValue(event.currentTarget.value)}
						/>
					);
				}
				return (
					<input
						{...shared}
						type="number"
						step="any"
						value={text}
						onChange={(event) => {
							const number = event.currentTarget.valueAsNumber;
							onValue(Number.isNaN(number) ? field.default : number);
						}}
					/>
				);
			}}
		</Field>
	);
}

/** Which column of a table is what; each with a value of it, so that one sees what one chooses. */
export function ColumnRoles({
	roles,
	columns,
	disabled,
	onColumns,
}: {
	roles: Maybe<Roles>;
	columns: Columns;
	disabled: boolean;
	onColumns: (columns: Columns) => void;
}) {
	if (!roles.roles?.length) return null;
	const available = roles.available ?? [];
	const options = [
		{ value: "", text: "not in this table" },
		...available.map(({ name, type }) => ({ value: name, text: `${name} (${type})` })),
	];
	return (
		<div class="nbannot-roles">
			<h4 class="nbannot-subtitle">Columns</h4>
			<div class="nbannot-fields">
				{roles.roles.map(({ role, help, column, required, sure }) => {
					const value = columns[role] ?? column;
					const sample = available.find(({ name }) => name === value)?.sample;
					const check = !(role in columns) && value !== "" && !sure;
					return (
						<Field key={role} label={role.replace(/_/g, " ")} help={help}>
							{(ids) => (
								<div class="nbannot-role">
									<Select
										{...ids}
										value={value}
										options={options}
										disabled={disabled}
										onChange={(next) => onColumns({ ...columns, [role]: next })}
									/>
									{value === "" && required && <Badge tone="bad">needed</Badge>}
									{check && <Badge tone="warning">please check</Badge>}
									{sample !== undefined && (
										<span class="nbannot-sample" title={sample}>
											{sample}
										</span>
									)}
								</div>
							)}
						</Field>
					);
				})}
			</div>
		</div>
	);
}
