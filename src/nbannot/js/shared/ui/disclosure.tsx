import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Icon } from "./icon.tsx";

/** A line that opens; what is inside is made when it is first opened. */
export function Disclosure({
	title,
	open: initially = false,
	children,
}: {
	title: ComponentChildren;
	open?: boolean;
	children: () => ComponentChildren;
}) {
	const [open, setOpen] = useState(initially);
	return (
		<details
			class="nbannot-disclosure"
			open={open}
			onToggle={(event) => setOpen(event.currentTarget.open)}
		>
			<summary class="nbannot-summary">
				<Icon name="right" size={12} />
				<span class="nbannot-summary-text">{title}</span>
			</summary>
			{open && <div class="nbannot-disclosed">{children()}</div>}
		</details>
	);
}
