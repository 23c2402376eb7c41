// The shared worker that holds the live stream for all tabs of a browser (a browser has six connections to a server;
// a stream for each tab would leave none from the seventh on).

import { Hub, type FromHub, type ToHub } from "./live_hub.ts";

const ports = new Set<MessagePort>();
const hub = new Hub((message: FromHub) => ports.forEach((port) => port.postMessage(message)));

self.addEventListener("connect", (event) => {
  const port = (event as MessageEvent).ports[0]!;
  port.onmessage = ({ data }: MessageEvent<ToHub>) => {
    switch (data.type) {
      case "hello":
        ports.add(port);
        hub.hello(data.after, (message) => port.postMessage(message));
        break;
      case "wake":
        hub.wake();
        break;
      case "bye":
        ports.delete(port);
        if (!ports.size) hub.stop();
        break;
    }
  };
});
self.addEventListener("online", () => hub.wake());
