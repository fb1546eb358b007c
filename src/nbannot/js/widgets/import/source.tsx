/** Where the data comes from: picked from files, uploaded, or a table of the notebook. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { baseName } from "../../shared/text.ts";
import { Button } from "../../shared/ui/button.tsx";
import { Icon, type IconName } from "../../shared/ui/icon.tsx";
import type { Problem } from "../../shared/ui/notice.tsx";
import { type Tab, Tabs } from "../../shared/ui/tabs.tsx";
import { DropZone } from "./drop-zone.tsx";
import { Files } from "./files.tsx";
import { Frames } from "./frames.tsx";
import { Section } from "./section.tsx";
import type { ImportActions, ImportState } from "./types.ts";

type Kind = "files" | "upload" | "frames";

export function Source({
	state,
	actions,
	problem,
}: {
	state: ImportState;
	actions: ImportActions;
	/** What went wrong while listing files. */
	problem: Problem | null;
}) {
	const { source, location, frames } = state;
	const [kind, setKind] = useState<Kind>("files");
	const [picking, setPicking] = useState(source === "");
	/** What was uploaded in this view, in words; another view only knows that it was an upload. */
	const [uploaded, setUploaded] = useState<{ source: string; words: string } | null>(null);
	const change = useRef<HTMLDivElement>(null);
	/** Focus was in the picker when it closed: it goes to what took its place. */
	const chose = useRef(false);
	const before = useRef(source);
	useLayoutEffect(() => {
		if (before.current !== source) setPicking(source === "");
		before.current = source;
	}, [source]);
	useLayoutEffect(() => {
		if (picking || !chose.current) return;
		chose.current = false;
		change.current?.querySelector("button")?.focus();
	}, [picking]);
	const leave = () => {
		chose.current = true;
		setPicking(false);
	};
	const choose = (next: string) => {
		actions.open(next);
		leave();
	};

	if (!picking && source) {
		const { icon, name, detail } = inWords(source, location, uploaded);
		return (
			<Section title="Source">
				<div class="nbannot-chosen" ref={change}>
					<Icon name={icon} />
					<span class="nbannot-chosen-name">{name}</span>
					<span class="nbannot-chosen-detail nbannot-muted" title={detail}>
						{detail}
					</span>
					<Button disabled={state.state === "importing"} onClick={() => setPicking(true)}>
						Change
					</Button>
				</div>
			</Section>
		);
	}
	const tabs: Tab<Kind>[] = [
		{ key: "files", name: "Files", icon: "folder" },
		{ key: "upload", name: "Upload", icon: "upload" },
		{ key: "frames", name: "DataFrames", icon: "table", count: frames.length },
	];
	return (
		<Section
			title="Source"
			aside={
				source && (
					<Button kind="quiet" onClick={() => setPicking(false)}>
						Keep {inWords(source, location, uploaded).name}
					</Button>
				)
			}
		>
			<Tabs
				name="Where the data is"
				tabs={tabs}
				chosen={kind}
				onChoose={setKind}
				onDragFiles={() => setKind("upload")}
			>
				{kind === "files" && (
					<Files
						location={location}
						parents={state.parents}
						entries={state.entries}
						total={state.entries_total}
						filter={state.filter}
						problem={problem}
						// A filter is about one folder; in the next it would only hide things.
						onLocation={(path) => actions.choose({ location: path, filter: "" })}
						onFilter={(filter) => actions.choose({ filter })}
						onChoose={choose}
						onRefresh={actions.refresh}
						complete={actions.complete}
					/>
				)}
				{kind === "upload" && (
					<DropZone
						transport={actions.upload}
						onDone={(next, words) => {
							setUploaded({ source: next, words });
							// Python has made it the source already; this is for a view that came too late.
							actions.choose({ source: next });
							leave();
						}}
					/>
				)}
				{kind === "frames" && (
					<Frames
						frames={frames}
						onChoose={(name) => choose(`frame:${name}`)}
						onRefresh={actions.refresh}
					/>
				)}
			</Tabs>
		</Section>
	);
}

function inWords(
	source: string,
	location: string,
	uploaded: { source: string; words: string } | null,
): { icon: IconName; name: string; detail: string } {
	if (source.startsWith("frame:")) {
		return {
			icon: "table",
			name: source.slice("frame:".length),
			detail: "variable of this notebook",
		};
	}
	if (source.startsWith("upload:")) {
		const words = uploaded?.source === source ? uploaded.words : "";
		return { icon: "upload", name: "Uploaded files", detail: words };
	}
	const path = source.startsWith("/") || !location ? source : `${location}/${source}`;
	const icon = /\.(zip|tar|tgz|tar\.\w+)$/i.test(source)
		? "archive"
		: /\.\w+$/.test(source)
			? "file"
			: "folder";
	return { icon, name: baseName(source), detail: path };
}
