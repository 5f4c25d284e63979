package harrier.node;

import java.nio.file.Path;
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

    /** Has nothing to add to the settings. */
    public static void configure(Parent parent, Path config, Settings.Builder settings) {}
}
