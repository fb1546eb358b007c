import type { ButtonHTMLAttributes, ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Icon, type IconName } from "./icon.tsx";

type ButtonProps = Omit<ButtonHTMLAttributes<HTMLButtonElement>, "type"> & {
	kind?: "primary" | "secondary" | "quiet";
	icon?: IconName;
	disabled?: boolean;
	children?: ComponentChildren;
};

export function Button({ kind = "secondary", icon, children, class: extra, ...rest }: ButtonProps) {
	const bare = children === undefined ? " nbannot-button-icon" : "";
	return (
		<button type="button" class={`nbannot-button nbannot-${kind}${bare} ${extra ?? ""}`} {...rest}>
			{icon && <Icon name={icon} />}
			{children !== undefined && <span>{children}</span>}
		</button>
	);
}

/** A button that is only an icon; its name is what screen readers and tooltips say. */
export function IconButton({
	icon,
	name,
	...rest
}: { icon: IconName; name: string } & Omit<ButtonProps, "icon" | "children" | "name">) {
	return <Button kind="quiet" icon={icon} aria-label={name} title={name} {...rest} />;
}

/** Copies `text`; says for a moment whether it did. */
export function CopyButton({ text, name = "Copy" }: { text: string; name?: string }) {
	const [said, say] = useState("");
	const copy = async () => {
		try {
			await navigator.clipboard.writeText(text);
			say("Copied");
		} catch {
			say("Select the text and press Ctrl+C"); // the host forbids the clipboard
		}
		setTimeout(() => say(""), 2000);
	};
	return (
		<span class="nbannot-copy">
			<Button kind="quiet" icon={said === "Copied" ? "check" : "copy"} onClick={copy}>
				{name}
			</Button>
			<span role="status" class="nbannot-muted">
				{said}
			</span>
		</span>
	);
}
