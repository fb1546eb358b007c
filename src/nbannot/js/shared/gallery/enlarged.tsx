/** One item, large: its picture to look around in, its annotations and what else is known of it. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Page } from "../page.ts";
import { type LoadedPage, loadPictures } from "../pictures.ts";
import { count } from "../text.ts";
import { IconButton } from "../ui/button.tsx";
import { asProblem, ErrorNotice, type Problem } from "../ui/notice.tsx";
import { AnnotationList } from "./annotation-list.tsx";
import { Stage } from "./stage.tsx";
import { describe } from "./tile.tsx";

const SIZE_PX = 1280;

export function Enlarged({
	page,
	index,
	picture,
	position,
	total,
	label,
	load,
	onStep,
	onClose,
}: {
	page: Page;
	index: number;
	picture: ImageBitmap | null;
	position: number;
	total: number;
	label: string;
	load: (item: string, sizePx: number, signal: AbortSignal) => Promise<Page>;
	onStep: (by: 1 | -1) => void;
	onClose: () => void;
}) {
	const panel = useRef<HTMLElement>(null);
	const item = page.items[index] as Page["items"][number];
	const { large, problem } = useLarge(item.item, page, load);
	const [active, setActive] = useState<number | null>(null);

	useEffect(() => {
		panel.current?.focus({ preventScroll: true });
		panel.current?.scrollIntoView({ block: "nearest" });
	}, []);
	useEffect(() => setActive(null), [item.item]);

	// The small picture and the annotations are there at once; the large one takes their place.
	const shown = large ? large.page : page;
	const at = large ? 0 : index;
	const onKeyDown = (event: KeyboardEvent) => {
		const inField = (event.target as HTMLElement).matches("input, select, textarea");
		if (inField || event.ctrlKey || event.metaKey || event.altKey) return;
		if (event.key === "Escape") onClose();
		else if (event.key === "ArrowLeft") onStep(-1);
		else if (event.key === "ArrowRight") onStep(1);
		else return;
		event.preventDefault();
		event.stopPropagation();
	};
	return (
		<section
			ref={panel}
			class="nbannot-enlarged"
			tabIndex={-1}
			aria-label={`Item ${count(position + 1)} of ${count(total)}: ${describe(page, index)}`}
			onKeyDown={onKeyDown}
		>
			<header class="nbannot-enlarged-bar">
				<span class="nbannot-enlarged-name" title={item.key}>
					{item.key}
				</span>
				<span class="nbannot-muted nbannot-figures">
					{count(position + 1)} of {count(total)}
				</span>
				<IconButton
					icon="left"
					name="Previous item (←)"
					disabled={position === 0}
					onClick={() => onStep(-1)}
				/>
				<IconButton
					icon="right"
					name="Next item (→)"
					disabled={position + 1 >= total}
					onClick={() => onStep(1)}
				/>
				<IconButton icon="close" name="Back to all items (Esc)" onClick={onClose} />
			</header>
			{problem && <ErrorNotice problem={problem} />}
			<div class="nbannot-enlarged-body">
				<Stage
					page={shown}
					index={at}
					picture={large ? (large.pictures[0] ?? null) : picture}
					active={active}
					label={label}
					onActive={setActive}
				/>
				<AnnotationList page={shown} index={at} active={active} onActive={setActive} />
			</div>
		</section>
	);
}

/** The item loaded large; null until it is there. */
function useLarge(
	item: string,
	page: Page,
	load: (item: string, sizePx: number, signal: AbortSignal) => Promise<Page>,
) {
	const [large, setLarge] = useState<{ of: string; page: LoadedPage } | null>(null);
	const [problem, setProblem] = useState<Problem | null>(null);
	useEffect(() => {
		const abort = new AbortController();
		let mine: LoadedPage | null = null;
		setProblem(null);
		load(item, SIZE_PX, abort.signal)
			.then(loadPictures)
			.then((loaded) => {
				if (abort.signal.aborted) return loaded.close();
				mine = loaded;
				setLarge({ of: item, page: loaded });
			})
			.catch((error: unknown) => {
				if (!abort.signal.aborted) setProblem(asProblem(error));
			});
		return () => {
			abort.abort();
			setLarge(null);
			mine?.close();
		};
	}, [item, page]);
	return { large: large?.of === item ? large.page : null, problem };
}
