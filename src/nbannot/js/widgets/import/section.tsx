import type { ComponentChildren } from "preact";

/** One step of the screen: its name at the side where there is room, above where there is not. */
export function Section({
	title,
	children,
	aside,
	wide = false,
}: {
	title: string;
	/** Takes the whole width, its name above. */
	wide?: boolean;
	children: ComponentChildren;
	aside?: ComponentChildren;
}) {
	return (
		<section class={`nbannot-section ${wide ? "nbannot-wide" : ""}`} aria-label={title}>
			<div class="nbannot-section-head">
				<h3>{title}</h3>
				{aside}
			</div>
			<div class="nbannot-section-body">{children}</div>
		</section>
	);
}
