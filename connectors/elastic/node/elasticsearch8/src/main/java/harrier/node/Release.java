package harrier.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.elasticsearch.Version;
import org.elasticsearch.common.settings.SecureString;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.plugins.PluginDescriptor;
import org.elasticsearch.xpack.core.security.authc.support.Hasher;

/** What a node of Elasticsearch 8 has of its own. */
public final class Release {
    /** Classes of the plugins, in the order in which they are made. */
    public static final List<String> PLUGINS = List.of(
        "harrier.node.RestRoot",
        "harrier.node.SecurityAnalysis",
        "org.elasticsearch.transport.netty4.Netty4Plugin",
        "org.elasticsearch.xpack.core.XPackPlugin",
        "org.elasticsearch.xpack.security.SecurityWithoutSaml",
        "org.elasticsearch.xpack.esql.core.plugin.EsqlCorePlugin",
        "org.elasticsearch.xpack.esql.plugin.EsqlPlugin",
        "org.elasticsearch.xpack.kql.KqlPlugin",
        "org.elasticsearch.xpack.versionfield.VersionFieldPlugin");

    private Release() {}

    /** Describes the plugin of a class. */
    public static PluginDescriptor descriptor(String name) {
        return new PluginDescriptor(name, "from the class path", "NA", Version.CURRENT.toString(), "17", name, null, List.of(), false,
            false, false, false);
    }

    /** Makes the user a superuser of the file realm and turns security on, if a user was given. */
    public static void configure(Parent parent, Path config, Settings.Builder settings) throws IOException {
        settings.put("xpack.license.self_generated.type", "basic");
        String user = parent.word("harrier.user");
        settings.put("xpack.security.enabled", !user.isEmpty());
        if (user.isEmpty()) {
            return;
        }
        char[] hash = Hasher.BCRYPT10.hash(new SecureString(parent.word("harrier.password").toCharArray()));
        Files.writeString(config.resolve("users"), user + ":" + new String(hash) + "\n");
        Files.writeString(config.resolve("users_roles"), "superuser:" + user + "\n");
    }
}
