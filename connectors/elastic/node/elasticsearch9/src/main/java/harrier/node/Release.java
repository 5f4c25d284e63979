package harrier.node;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.elasticsearch.Version;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.plugins.PluginDescriptor;

/**
 * What a node of Elasticsearch 9 has of its own. There is no plugin for security: jars that x-pack-core needs are not published in this
 * version. So the node has neither users nor TLS.
 */
public final class Release {
    /** Classes of the plugins, in the order in which they are made. */
    public static final List<String> PLUGINS = List.of("harrier.node.RestRoot", "org.elasticsearch.transport.netty4.Netty4Plugin");

    private Release() {}

    /** Describes the plugin of a class. */
    public static PluginDescriptor descriptor(String name) {
        return new PluginDescriptor(name, "from the class path", "NA", Version.CURRENT.toString(), "21", name, null, List.of(), false,
            false, false, false, PluginDescriptor.DeploymentTarget.ALL);
    }

    /**
     * Gives the server the library that it compresses doc values with; its own build of it is not published. That of vectors is not
     * published either, so it is turned off. Both are looked for when the node is made.
     */
    public static void configure(Parent parent, Path config, Settings.Builder settings) throws IOException {
        String file = System.mapLibraryName("zstd");
        String system = System.getProperty("os.name").startsWith("Mac") ? "macos" : "linux";
        String machine = System.getProperty("os.arch").replace("x86_64", "amd64");
        String resource = "/aircompressor/" + system + "-" + machine + "/" + file;
        Path folder = Files.createDirectories(parent.home().resolve("natives"));
        try (InputStream library = Release.class.getResourceAsStream(resource)) {
            if (library == null) {
                throw new IOException("no jar holds " + resource + ", so this node cannot run on this system and machine");
            }
            Files.copy(library, folder.resolve(file), StandardCopyOption.REPLACE_EXISTING);
        }
        System.setProperty("es.nativelibs.path", folder.toString());
        System.setProperty("org.elasticsearch.nativeaccess.enableVectorLibrary", "false");
    }
}
