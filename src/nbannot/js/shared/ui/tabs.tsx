import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { Icon, type IconName } from "./icon.tsx";
import { useUid } from "./id.ts";

export interface Tab<K extends string> {
	key: K;
	name: string;
	icon: IconName;
	count?: number;
}

/** A row of tabs (arrow keys move between them) and the panel of the one that is chosen. */
export function Tabs<K extends string>({
	tabs,
	chosen,
	onChoose,
	name,
	onDragFiles,
	children,
}: {
	tabs: Tab<K>[];
	chosen: K;
	onChoose: (key: K) => void;
	name: string;
	/** Files are dragged over it: time to show where to drop them. */
	onDragFiles?: () => void;
	children: ComponentChildren;
}) {
	const id = useUid();
	const list = useRef<HTMLDivElement>(null);
	const onKeyDown = (event: KeyboardEvent) => {
		const by = Number(event.key === "ArrowRight") - Number(event.key === "ArrowLeft");
		if (by === 0) return;
		event.preventDefault();
		const at = tabs.findIndex((tab) => tab.key === chosen);
		const next = (at + by + tabs.length) % tabs.length;
		onChoose((tabs[next] as Tab<K>).key);
		list.current?.querySelectorAll<HTMLElement>("button")[next]?.focus();
	};
	return (
		<div
			class="nbannot-tabs"
			role="group"
			aria-label={name}
			onDragEnter={(event) => event.dataTransfer?.types.includes("Files") && onDragFiles?.()}
		>
			<div
				role="tablist"
				aria-label={name}
				class="nbannot-tablist"
				ref={list}
				onKeyDown={onKeyDown}
			>
				{tabs.map((tab) => (
					<button
						key={tab.key}
						type="button"
						role="tab"
						id={`${id}-${tab.key}`}
						class="nbannot-tab"
						aria-selected={tab.key === chosen}
						aria-controls={`${id}-panel`}
						tabIndex={tab.key === chosen ? 0 : -1}
						onClick={() => onChoose(tab.key)}
					>
						<Icon name={tab.icon} />
						{tab.name}
						{tab.count !== undefined && <span class="nbannot-count">{tab.count}</span>}
					</button>
				))}
			</div>
			<div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`}>
				{children}
			</div>
		</div>
	);
}
