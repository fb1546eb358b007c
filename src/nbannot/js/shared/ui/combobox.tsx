import { useEffect, useRef, useState } from "preact/hooks";
import { useUid } from "./id.ts";

/**
 * A text field with completions from Python: arrows choose, Tab or Enter takes one, Escape closes.
 *
 * Enter with no completion chosen calls `onSubmit` with what was typed.
 */
export function Combobox({
	name,
	placeholder,
	complete,
	onSubmit,
}: {
	name: string;
	placeholder: string;
	complete: (text: string) => Promise<string[]>;
	onSubmit: (text: string) => void;
}) {
	const id = useUid();
	const [text, setText] = useState("");
	const [options, setOptions] = useState<string[]>([]);
	const [active, setActive] = useState(-1);
	/** The text that completions are wanted for; answers for any other come too late. */
	const wanted = useRef("");
	const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
	useEffect(() => () => clearTimeout(timer.current), []);

	const close = () => {
		wanted.current = "";
		clearTimeout(timer.current);
		setOptions([]);
		setActive(-1);
	};
	const type = (value: string) => {
		setText(value);
		setActive(-1);
		wanted.current = value;
		clearTimeout(timer.current);
		if (!value) return close();
		timer.current = setTimeout(async () => {
			const found = await complete(value).catch(() => []);
			if (wanted.current === value) setOptions(found.filter((option) => option !== value));
		}, 150);
	};
	const take = (option: string) => {
		// A folder is completed further; anything else is what was meant.
		if (option.endsWith("/")) type(option);
		else {
			setText(option);
			close();
		}
	};
	const onKeyDown = (event: KeyboardEvent) => {
		const chosen = options[active];
		if (event.key === "ArrowDown" || event.key === "ArrowUp") {
			if (options.length === 0) return;
			const by = event.key === "ArrowDown" ? 1 : -1;
			setActive((active + by + options.length + (active < 0 && by < 0 ? 1 : 0)) % options.length);
		} else if (event.key === "Tab" && options.length > 0 && !event.shiftKey) {
			take(chosen ?? (options[0] as string));
		} else if (event.key === "Enter" && chosen !== undefined) take(chosen);
		else if (event.key === "Enter" && text.trim()) {
			close();
			onSubmit(text.trim());
		} else if (event.key === "Escape" && options.length > 0) close();
		else return;
		event.preventDefault();
		event.stopPropagation();
	};
	return (
		<div class="nbannot-combobox">
			<input
				type="text"
				role="combobox"
				class="nbannot-input nbannot-path"
				aria-label={name}
				aria-expanded={options.length > 0}
				aria-controls={`${id}-list`}
				aria-autocomplete="list"
				aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
				autocomplete="off"
				spellcheck={false}
				placeholder={placeholder}
				value={text}
				onInput={(event) => type(event.currentTarget.value)}
				onKeyDown={onKeyDown}
				onBlur={close}
			/>
			<div id={`${id}-list`} role="listbox" aria-label={name} hidden={options.length === 0}>
				{options.map((option, i) => (
					<div
						key={option}
						id={`${id}-${i}`}
						role="option"
						tabIndex={-1}
						aria-selected={i === active}
						// Before the field loses focus and closes the list.
						onMouseDown={(event) => {
							event.preventDefault();
							take(option);
						}}
					>
						{option}
					</div>
				))}
			</div>
		</div>
	);
}
