/** Controls with a name and, where it needs one, a line of help: all native elements. */
import type { ComponentChildren, InputHTMLAttributes } from "preact";
import { useUid } from "./id.ts";

export function Field({
	label,
	help,
	children,
}: {
	label: string;
	help?: string | undefined;
	children: (ids: { id: string; helpId: string | undefined }) => ComponentChildren;
}) {
	const id = useUid();
	const helpId = help ? `${id}-help` : undefined;
	return (
		<div class="nbannot-field">
			<label class="nbannot-field-label" for={id}>
				{label}
			</label>
			<div class="nbannot-field-control">
				{children({ id, helpId })}
				{help && (
					<p id={helpId} class="nbannot-help">
						{help}
					</p>
				)}
			</div>
		</div>
	);
}

export interface Option {
	value: string;
	text: string;
	disabled?: boolean;
}

export interface OptionGroup {
	group: string;
	options: Option[];
}

interface SelectProps {
	value: string;
	options: (Option | OptionGroup)[];
	onChange: (value: string) => void;
	id?: string;
	name?: string;
	helpId?: string | undefined;
	disabled?: boolean;
}

export function Select({ value, options, onChange, id, name, helpId, disabled }: SelectProps) {
	const one = (option: Option) => (
		<option key={option.value} value={option.value} disabled={option.disabled ?? false}>
			{option.text}
		</option>
	);
	return (
		<select
			class="nbannot-input nbannot-select"
			id={id}
			aria-label={name}
			aria-describedby={helpId}
			disabled={disabled}
			value={value}
			onChange={(event) => onChange(event.currentTarget.value)}
		>
			{options.map((option) =>
				"group" in option ? (
					<optgroup key={option.group} label={option.group}>
						{option.options.map(one)}
					</optgroup>
				) : (
					one(option)
				),
			)}
		</select>
	);
}

export function Check({
	checked,
	onChange,
	children,
	id,
	helpId,
	disabled,
}: {
	checked: boolean;
	onChange: (checked: boolean) => void;
	children?: ComponentChildren;
	id?: string;
	helpId?: string | undefined;
	disabled?: boolean;
}) {
	const input: InputHTMLAttributes<HTMLInputElement> = {
		type: "checkbox",
		class: "nbannot-check",
		id,
		"aria-describedby": helpId,
		checked,
		disabled,
		onChange: (event) => onChange(event.currentTarget.checked),
	};
	if (children === undefined) return <input {...input} />;
	return (
		<label class="nbannot-choice">
			<input {...input} />
			<span>{children}</span>
		</label>
	);
}

/** One of a group of radio buttons; `children` say more under its name. */
export function Radio({
	group,
	checked,
	onChoose,
	name,
	disabled,
	children,
}: {
	group: string;
	checked: boolean;
	onChoose: () => void;
	name: ComponentChildren;
	disabled?: boolean;
	children?: ComponentChildren;
}) {
	return (
		<label class={`nbannot-choice ${disabled ? "nbannot-disabled" : ""}`}>
			<input
				type="radio"
				name={group}
				checked={checked}
				disabled={disabled}
				onChange={(event) => event.currentTarget.checked && onChoose()}
			/>
			<span class="nbannot-choice-text">
				<span class="nbannot-choice-name">{name}</span>
				{children}
			</span>
		</label>
	);
}
