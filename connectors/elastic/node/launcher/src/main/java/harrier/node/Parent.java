package harrier.node;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The process that started this node, as seen through standard input and output.
 *
 * <p>It first writes one key=value a line in UTF-8, up to an empty line: settings of the node, and words of the launcher, which begin
 * with "harrier.". A password comes this way too, so that neither the list of processes nor the environment shows it. Then it keeps
 * the input open for as long as it wants the node. The line "stop" ends the node; so does the end of the input, which comes however
 * the other process died. That needs nothing of the operating system, unlike a signal at the death of a parent.
 */
public final class Parent {
    /** Key of the word that says that nobody wants the data folder after the death of the parent. */
    private static final String TEMPORARY = "harrier.temporary";

    private final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    private final Map<String, String> words = new LinkedHashMap<>();
    private final Map<String, String> settings = new LinkedHashMap<>();

    /** Reads up to the empty line. A parent that is gone before that wants no node. */
    public Parent() throws IOException {
        for (String line = in.readLine(); !"".equals(line); line = in.readLine()) {
            if (line == null) {
                throw new IOException("standard input ended before the empty line after the settings");
            }
            int split = line.indexOf('=');
            (line.startsWith("harrier.") ? words : settings).put(line.substring(0, split), line.substring(split + 1));
        }
    }

    /** The settings of the node, without the words of the launcher. */
    public Map<String, String> settings() {
        return settings;
    }

    /** A word of the launcher, "" if it was not given. */
    public String word(String key) {
        return words.getOrDefault(key, "");
    }

    /** The data folder of the node. */
    public Path home() {
        return Path.of(word("harrier.home"));
    }

    /** Ends this process when the parent says so or is gone, also while the node is still starting. */
    public void watch() {
        Thread watcher = new Thread(this::waitForEnd, "parent");
        watcher.setDaemon(true);
        watcher.start();
    }

    private void waitForEnd() {
        boolean orphaned = true;
        try {
            orphaned = !"stop".equals(in.readLine());
        } catch (IOException e) {
            System.err.println("standard input: " + e);
        }
        limitExit();
        if (orphaned && !word(TEMPORARY).isEmpty()) {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(home())));
        }
        System.exit(0);
    }

    /** Ends the process the hard way if closing the node hangs; archiving classes at exit takes its time, so the limit is a property. */
    private static void limitExit() {
        long seconds = Long.getLong("harrier.exit.seconds", 10);
        Thread limit = new Thread(() -> {
            try {
                TimeUnit.SECONDS.sleep(seconds);
            } catch (InterruptedException e) {
                return;
            }
            Runtime.getRuntime().halt(1);
        }, "exit-limit");
        limit.setDaemon(true);
        limit.start();
    }

    /** Shutdown hooks run at once, so this may meet files that the closing node still writes: it tries until the folder is gone. */
    private static void remove(Path folder) {
        for (int attempt = 0; attempt < 50 && Files.exists(folder); attempt++) {
            try (var files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(file);
                }
            } catch (IOException | UncheckedIOException e) {
                // The node is not closed yet; the next attempt comes in a moment.
                try {
                    TimeUnit.MILLISECONDS.sleep(100);
                } catch (InterruptedException interrupted) {
                    return;
                }
            }
        }
    }

    /** Tells the parent that the node serves, and on which port. */
    public void ready(int port) {
        System.out.println("harrier-node ready " + port);
        System.out.flush();
    }
}
